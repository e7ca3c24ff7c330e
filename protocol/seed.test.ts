import { createHash, pbkdf2Sync } from "node:crypto";
import { expect, it } from "vitest";
import { encodeBase64url } from "./base64url.ts";
import { utf8 } from "./bytes.ts";
import { isSeedKeyInfo, MAX_SEED, seedKeyInfo } from "./seed.ts";
import { digestOfSeed, seedOf } from "./seed-digest.ts";

it("M9 digests a seed by PBKDF2 with 600,000 rounds and the order's salt", async () => {
  const [seed, salt] = [utf8("seed"), new Uint8Array(16).fill(3)];
  const expected = pbkdf2Sync(seed, salt, 600_000, 32, "sha256").toString("base64url");
  expect(await digestOfSeed(seed, salt)).toBe(expected);
  expect(encodeBase64url(pbkdf2Sync(seed, new Uint8Array(16), 600_000, 32, "sha256"))).not.toBe(expected);
});

it("M9 takes up to 64 KiB as they are, a copy, and of more a digest over length and pieces, from a file or bytes alike", async () => {
  const short = new Uint8Array(MAX_SEED).fill(5);
  const taken = await seedOf(short);
  expect(taken).toEqual(short);
  taken.fill(0);
  expect(short[0]).toBe(5);
  const long = new Uint8Array((1 << 20) + 3).map((_, n) => n % 251);
  const sha256 = (...parts: Uint8Array[]) => {
    const hash = createHash("sha256");
    for (const part of parts) hash.update(part);
    return hash.digest();
  };
  const first = sha256(new Uint8Array(32), sha256(long.subarray(0, 1 << 20)));
  const state = sha256(first, sha256(long.subarray(1 << 20)));
  const expected = Buffer.concat([utf8(`coffer-seed-file-v1\0${long.length}\0`), state]).toString("hex");
  const read: number[] = [];
  const onRead = (bytes: number) => void read.push(bytes);
  expect(Buffer.from(await seedOf(new Blob([long]), { onRead })).toString("hex")).toBe(expected);
  expect(Buffer.from(await seedOf(long)).toString("hex")).toBe(expected);
  expect(read).toEqual([1 << 20, long.length]);
  await expect(seedOf(new Blob([]))).rejects.toThrow(RangeError);
  await expect(seedOf(new Uint8Array())).rejects.toThrow(RangeError);
  const signal = AbortSignal.abort(new Error("stopped"));
  await expect(seedOf(new Blob([long]), { signal })).rejects.toThrow("stopped");
});

it("M9 knows the infos of data keys: the prefix, and a label of its form", () => {
  for (const label of ["", "invoices-2026", "a.b_c", "x".repeat(64)])
    expect(isSeedKeyInfo(seedKeyInfo(label)), label).toBe(true);
  for (const info of [
    "",
    "coffer-seed-key-v1",
    "coffer-seed-key-v2\0",
    "coffer-seed-key-v1\0a b",
    "coffer-seed-key-v1\0é",
  ])
    expect(isSeedKeyInfo(utf8(info)), info).toBe(false);
  expect(isSeedKeyInfo(seedKeyInfo("x".repeat(65)))).toBe(false);
});
