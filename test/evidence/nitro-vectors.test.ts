/** Real attestation documents of AWS Nitro, against the values that are published with them. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { encodeHex } from "#protocol/bytes.ts";
import { AWS_NITRO_ROOT_G1, verifyNitroDocument } from "#protocol/evidence/index.ts";
import { vectorsFolder } from "../support/vectors.ts";

type Sample = {
  file: string;
  moduleId: string;
  timestampMs: number;
  chainValidFrom: string;
  chainValidTo: string;
  debugMode: boolean;
  expectedPcrs: Record<string, string>;
  pcrCount: number;
  nonceHex: string | null;
  userDataHex: string | null;
};

const folder = join(vectorsFolder(), "nitro");
const present = existsSync(folder);
const read = (file: string) => new Uint8Array(readFileSync(join(folder, file)));
const samples: Sample[] = present ? JSON.parse(readFileSync(join(folder, "samples.json"), "utf8")) : [];
const roots = [AWS_NITRO_ROOT_G1];
const hex = (bytes: Uint8Array | undefined) => (bytes ? encodeHex(bytes) : null);

describe.skipIf(!present)("documents of AWS Nitro", () => {
  it("are under the root that is pinned", () => {
    expect(read("aws-nitro-root-g1.der")).toEqual(AWS_NITRO_ROOT_G1);
  });

  describe.each(samples)("$file", (sample) => {
    const { file, timestampMs: now, debugMode: debug } = sample;

    it("says at its own time what is published", async () => {
      const document = await verifyNitroDocument(read(file), { roots, now, debug });
      expect(document).toMatchObject({ moduleId: sample.moduleId, timestamp: now, debug });
      expect(document.registers.size).toBe(sample.pcrCount);
      const registers = [...document.registers].map(([index, register]) => [`${index}`, encodeHex(register)]);
      expect(Object.fromEntries(registers)).toMatchObject(sample.expectedPcrs);
      expect(hex(document.nonce)).toBe(sample.nonceHex);
      expect(hex(document.userData)).toBe(sample.userDataHex);
      expect(document.validUntil).toBe(Date.parse(sample.chainValidTo));
    });

    it("is refused today, before its time, and under no root", async () => {
      const verify = (time: number, anchors = roots) =>
        verifyNitroDocument(read(file), { roots: anchors, now: time, debug });
      await expect(verify(Date.now())).rejects.toThrow("certificate is not valid now");
      await expect(verify(Date.parse(sample.chainValidTo) + 1)).rejects.toThrow("not valid now");
      await expect(verify(now - 300_001)).rejects.toThrow("from the future");
      await expect(verify(now, [])).rejects.toThrow("not under a root");
      expect(await verify(Date.parse(sample.chainValidTo))).toMatchObject({ timestamp: now });
    });

    it("is refused by default where it is of debug mode, and of no other", async () => {
      const refused = verifyNitroDocument(read(file), { roots, now }).then(
        () => false,
        (error: Error) => error.message === "the platform is in debug mode",
      );
      expect(await refused).toBe(debug);
    });
  });

  const [first] = samples;
  it.runIf(first)(
    "are refused with any single byte changed",
    async () => {
      const { file, timestampMs: now } = first!;
      const document = read(file);
      const taken: string[] = [];
      const change = async (at: number, mask: number) => {
        const changed = document.with(at, document[at]! ^ mask);
        await verifyNitroDocument(changed, { roots, now, debug: true }).then(
          () => taken.push(`byte ${at}, ${mask}`),
          () => {},
        );
      };
      for (let at = 0; at < document.length; at++) await change(at, 1 << (at % 8));
      // Around what is signed are heads of strings, the header that nobody signs, and the array: all values there.
      const unsigned = [0, 1, 6, 7, 8, 9, document.length - 98, document.length - 97];
      for (const at of unsigned) for (let mask = 1; mask < 256; mask++) await change(at, mask);
      expect(taken).toEqual([]);
    },
    300_000,
  );
});
