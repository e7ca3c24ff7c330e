import { generateKeyPairSync, sign } from "node:crypto";
import { expect, it } from "vitest";
import { utf8 } from "#protocol/bytes.ts";
import { verify } from "./verify.ts";

type Bytes = Uint8Array<ArrayBuffer>;
const data = utf8("a letter");

function pair(): { publicKey: Bytes; signed: (data: Bytes) => Bytes } {
  const { publicKey, privateKey } = generateKeyPairSync("ml-dsa-65");
  return {
    publicKey: new Uint8Array(publicKey.export({ format: "der", type: "spki" })),
    signed: (data) => new Uint8Array(sign(null, data, privateKey)),
  };
}

it("M17 verifies by ML-DSA-65 what OpenSSL has signed, and nothing else", async () => {
  const [{ publicKey, signed }, other] = [pair(), pair()];
  const signature = signed(data);
  const by = { algorithm: "ML-DSA-65", publicKey } as const;
  expect(await verify(by, { data, signature })).toBe(true);
  expect(await verify(by, { data: new Uint8Array(), signature: signed(new Uint8Array()) })).toBe(true);
  expect(await verify(by, { data: utf8("a lettes"), signature })).toBe(false);
  expect(await verify({ ...by, publicKey: other.publicKey }, { data, signature })).toBe(false);
  for (const at of [0, 48, 1000, 3308]) {
    const altered = Uint8Array.from(signature);
    altered[at] = (altered[at] ?? 0) ^ 1;
    expect(await verify(by, { data, signature: altered }), `byte ${at}`).toBe(false);
  }
  for (const length of [64, 3308])
    expect(await verify(by, { data, signature: signature.slice(0, length) })).toBe(false);
  expect(await verify(by, { data, signature: new Uint8Array([...signature, 0]) })).toBe(false);
  // Hints that are no hints: all ones.
  expect(await verify(by, { data, signature: new Uint8Array(3309).fill(255) })).toBe(false);
});
