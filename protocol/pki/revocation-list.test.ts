import fc from "fast-check";
import { expect, it } from "vitest";
import { encodeHex } from "../bytes.ts";
import { encode, objectIdentifier, PRINTABLE_STRING, SEQUENCE, SET } from "./der.ts";
import { REASON, type RevocationList, readRevocationListToSign, revocationListToSign } from "./index.ts";

const issuer = encode(
  SEQUENCE,
  encode(SET, encode(SEQUENCE, objectIdentifier("2.5.4.3"), encode(PRINTABLE_STRING, Uint8Array.of(0x61)))),
);
const list = (over: Partial<RevocationList> = {}): Uint8Array =>
  revocationListToSign({
    ...{
      issuer,
      keyIdentifier: new Uint8Array(20),
      number: 300,
      thisUpdate: 1_800_000_000,
      nextUpdate: 1_800_086_400,
    },
    revoked: [{ serial: "7f01", at: 1_799_999_000, reason: REASON.superseded }],
    ...{ distributionPoint: "https://vault.example/ra/revocations", ...over },
  });

it("reads what it writes, with entries and without, before 2050 and after", () => {
  const plain = { thisUpdate: 1_800_000_000_000, nextUpdate: 1_800_086_400_000 };
  expect(readRevocationListToSign(list())).toEqual({ issuer, ...plain, revoked: 1 });
  expect(readRevocationListToSign(list({ revoked: [] })).revoked).toBe(0);
  const late = { thisUpdate: 2_600_000_000, nextUpdate: 2_600_000_100 };
  expect(readRevocationListToSign(list(late))).toMatchObject({ thisUpdate: 2_600_000_000_000 });
  expect(encodeHex(list({ number: 0x0100_0000 }))).toContain("0603551d1404060204010000" + "00");
});

it("throws TypeError for whatever else there is: cut at any byte, longer, or a byte that is none of a list's", () => {
  const good = list();
  for (let at = 0; at < good.length; at++)
    expect(() => readRevocationListToSign(good.slice(0, at))).toThrow(TypeError);
  expect(() => readRevocationListToSign(Uint8Array.of(...good, 0))).toThrow(TypeError);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      expect(() => readRevocationListToSign(bytes)).toThrow(TypeError);
    }),
    { numRuns: 200 },
  );
});
