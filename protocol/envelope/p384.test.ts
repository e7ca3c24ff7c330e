import { createSign, ECDH, generateKeyPairSync } from "node:crypto";
import { expect, it } from "vitest";
import { rawSignature, uncompressedPoint } from "./p384.ts";

const refused = expect.objectContaining({ code: "decrypt-failed" });
const keys = Array.from({ length: 20 }, () => generateKeyPairSync("ec", { namedCurve: "P-384" }));
const points = keys.map(({ publicKey }) => publicKey.export({ type: "spki", format: "der" }).subarray(-97));
const compressed = (point: Buffer) =>
  ECDH.convertKey(point, "secp384r1", undefined, undefined, "compressed") as Buffer;

it("finds the point of a compressed one, with either y", () => {
  for (const point of points) {
    expect(Buffer.from(uncompressedPoint(compressed(point).toString("base64")))).toEqual(point);
  }
  expect(new Set(points.map((point) => compressed(point)[0]))).toEqual(new Set([2, 3]));
});

it("refuses what is no compressed point", () => {
  const point = compressed(points[0]!);
  const off = Array.from({ length: 20 }, (_, x) =>
    Buffer.concat([Buffer.from([2]), Buffer.alloc(47), Buffer.from([x])]),
  );
  const outcomes = off.map((text) => {
    try {
      return uncompressedPoint(text.toString("base64")).length;
    } catch (error) {
      return error;
    }
  });
  // About half of all x have no y.
  expect(outcomes).toEqual(expect.arrayContaining([97, refused]));
  for (const [i, found] of outcomes.entries()) {
    const known = () => ECDH.convertKey(off[i]!, "secp384r1", undefined, undefined, "uncompressed");
    if (found === 97) expect(known).not.toThrow();
    else expect(known).toThrow();
  }
  const prime = 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n;
  for (const bytes of [
    Buffer.concat([Buffer.from([4]), point.subarray(1)]),
    Buffer.concat([Buffer.from([2]), Buffer.from((prime + 1n).toString(16), "hex")]),
    point.subarray(1),
    points[0]!,
    Buffer.alloc(0),
  ]) {
    expect(() => uncompressedPoint(bytes.toString("base64"))).toThrow(refused);
  }
  const text = point.toString("base64");
  for (const other of [text.replace("==", ""), ` ${text}`, `${text}\n`, text.replace(/.==$/, "/==")]) {
    expect(() => uncompressedPoint(other)).toThrow(refused);
  }
});

it("reads signatures in DER, in one form alone", () => {
  const { privateKey } = keys[0]!;
  const sign = () => createSign("sha384").update("a message").sign(privateKey);
  for (let i = 0; i < 300; i++) {
    const der = sign();
    const raw = Buffer.from(rawSignature(der)).toString("hex");
    const rLength = der[3]!;
    const r = der.subarray(4, 4 + rLength).toString("hex");
    const s = der.subarray(6 + rLength).toString("hex");
    expect(BigInt(`0x${raw.slice(0, 96)}`)).toBe(BigInt(`0x${r}`));
    expect(BigInt(`0x${raw.slice(96)}`)).toBe(BigInt(`0x${s}`));
  }
  const pair = (...integers: number[][]) => {
    const contents = integers.flatMap((bytes) => [2, bytes.length, ...bytes]);
    return new Uint8Array([0x30, contents.length, ...contents]);
  };
  expect(Buffer.from(rawSignature(pair([1], [0, 0x80]))).toString("hex")).toBe(
    `${"1".padStart(96, "0")}${"80".padStart(96, "0")}`,
  );
  const long = Array.from({ length: 49 }, () => 1);
  for (const der of [
    pair([0], [1]),
    pair([1], [0, 1]),
    pair([0x80], [1]),
    pair([], [1]),
    pair([1]),
    pair([1], [1], [1]),
    pair(long, [1]),
    new Uint8Array([...pair([1], [1]), 0]),
    pair([1], [1]).subarray(0, -1),
    new Uint8Array([0x31, ...pair([1], [1]).subarray(1)]),
    new Uint8Array([0x30, 0x81, ...pair([1], [1]).subarray(1)]),
    new Uint8Array(),
    sign().subarray(1),
  ]) {
    expect(() => rawSignature(der)).toThrow(refused);
  }
});
