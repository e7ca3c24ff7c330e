import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { describe, expect, it } from "vitest";
import { encodeHex } from "#protocol/bytes.ts";
import { KmipError } from "#protocol/kmip/index.ts";
import { CURVES } from "./curves.ts";
import {
  describeKey,
  rawPublicKey,
  transparentOf,
  transparentPrivateKey,
  transparentPublicKey,
} from "./transparent-key.ts";

const spki = (key: KeyObject) => encodeHex(key.export({ format: "der", type: "spki" }));
const pkcs8 = (key: KeyObject) => encodeHex(key.export({ format: "der", type: "pkcs8" }));
const refused = (work: () => unknown) => expect(work).toThrow(KmipError);

describe("transparent keys", () => {
  it.each(Object.entries(CURVES))("on %s come back as they were", (recommendedCurve, curve) => {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: curve!.openssl });
    const point = transparentOf(publicKey, "TransparentECPublicKey");
    expect(point.recommendedCurve).toBe(recommendedCurve);
    expect(spki(transparentPublicKey({ keyFormatType: "TransparentECPublicKey" }, point))).toBe(
      spki(publicKey),
    );
    const number = transparentOf(privateKey, "TransparentECPrivateKey");
    expect(pkcs8(transparentPrivateKey({ keyFormatType: "TransparentECPrivateKey" }, number))).toBe(
      pkcs8(privateKey),
    );
    expect(describeKey(publicKey)).toMatchObject({
      cryptographicAlgorithm: "EC",
      cryptographicLength: curve!.bits,
    });
  });

  it.each([
    ["RSA", generateKeyPairSync("rsa", { modulusLength: 2048 })],
    ["EC", generateKeyPairSync("ec", { namedCurve: "prime256v1" })],
  ] as const)("of %s have the form of their own half only", (kind, { publicKey, privateKey }) => {
    refused(() => transparentOf(privateKey, `Transparent${kind}PublicKey`));
    refused(() => transparentOf(publicKey, `Transparent${kind}PrivateKey`));
  });

  it("may be compressed points, but must be on the curve", () => {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const { qString } = transparentOf(publicKey, "TransparentECPublicKey");
    const parse = (bytes: Uint8Array) =>
      transparentPublicKey(
        { keyFormatType: "TransparentECPublicKey" },
        { recommendedCurve: "P_256", qString: new Uint8Array(bytes) },
      );
    const compressed = qString!.slice(0, 33);
    compressed[0] = 2 + (qString![64]! & 1);
    expect(parse(compressed).equals(publicKey)).toBe(true);
    const off = qString!.slice();
    off[64]! ^= 1;
    expect(() => parse(off)).toThrow();
    refused(() => parse(qString!.subarray(0, 64)));
    refused(() => parse(new Uint8Array(65)));
    refused(() => parse(new Uint8Array()));
  });

  it("of DSA", () => {
    const { publicKey, privateKey } = generateKeyPairSync("dsa", {
      modulusLength: 1024,
      divisorLength: 160,
    });
    const integers = (der: Buffer) => {
      const found: bigint[] = [];
      for (let at = 0; at < der.length; ) {
        const tag = der[at]!;
        let length = der[at + 1]!;
        let start = at + 2;
        if (length > 0x80) {
          length = der.readUIntBE(start, length - 0x80);
          start += der[at + 1]! - 0x80;
        }
        if (tag === 2) found.push(BigInt(`0x${der.subarray(start, start + length).toString("hex")}`));
        at = tag === 0x30 || tag === 4 ? start : tag === 3 ? start + 1 : start + length;
      }
      return found;
    };
    const [p, q, g, y] = integers(publicKey.export({ format: "der", type: "spki" }));
    const x = integers(privateKey.export({ format: "der", type: "pkcs8" })).at(-1);
    const numbers = { p: p!, q: q!, g: g! };
    expect(
      spki(transparentPublicKey({ keyFormatType: "TransparentDSAPublicKey" }, { ...numbers, y: y! })),
    ).toBe(spki(publicKey));
    expect(
      pkcs8(transparentPrivateKey({ keyFormatType: "TransparentDSAPrivateKey" }, { ...numbers, x: x! })),
    ).toBe(pkcs8(privateKey));
    refused(() => transparentPublicKey({ keyFormatType: "TransparentDSAPublicKey" }, numbers));
  });
});

it("keys of Edwards curves are taken as they are", () => {
  for (const [type, cryptographicAlgorithm, length] of [
    ["ed25519", "Ed25519", 32],
    ["ed448", "Ed448", 57],
  ] as const) {
    const { publicKey } = generateKeyPairSync(type as "ed25519");
    const raw = publicKey.export({ format: "der", type: "spki" }).subarray(-length);
    const block = { keyFormatType: "Raw", cryptographicAlgorithm } as const;
    expect(rawPublicKey(block, raw).equals(publicKey)).toBe(true);
    expect(() => rawPublicKey(block, raw.subarray(1))).toThrow();
  }
  refused(() => rawPublicKey({ keyFormatType: "Raw", cryptographicAlgorithm: "RSA" }, new Uint8Array(32)));
});
