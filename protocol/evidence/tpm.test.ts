import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { concat, encodeHex } from "../bytes.ts";
import { sha256 } from "../digest.ts";
import { evidenceBinder } from "../evidence-binder.ts";
import { ATTESTATION_TYPES, type Expectation, TPM_EVIDENCE, verifyEvidence } from "./index.ts";
import { makeQuote, quoteEvidence, sized, type TestBank, type TestQuote } from "./tpm.fixture.ts";

const NOW = Date.parse("2026-11-28T12:00:00Z");
const nonce = new Uint8Array(32).fill(7);
const bank = (hash: TestBank["hash"], ...indices: number[]): TestBank => {
  const length = { sha1: 20, sha256: 32, sha384: 48 }[hash];
  return { hash, values: new Map(indices.map((index) => [index, new Uint8Array(length).fill(index + 1)])) };
};
const rsa = (modulusLength: number) => generateKeyPairSync("rsa", { modulusLength }).privateKey;
const ec = (namedCurve: string) => generateKeyPairSync("ec", { namedCurve }).privateKey;
const spki = (key: KeyObject) => new Uint8Array(createPublicKey(key).export({ format: "der", type: "spki" }));

const keys = {
  p256: ec("P-256"),
  p384: ec("P-384"),
  p521: ec("P-521"),
  rsa: rsa(2048),
  weak: rsa(1024),
  other: ec("P-256"),
};
let good: TestQuote;
let expected: Expectation;
beforeAll(async () => {
  const extraData = await evidenceBinder(nonce, "alice");
  good = { key: keys.p256, scheme: "ECDSA", hash: "sha256", extraData, banks: [bank("sha256", 0, 7, 16)] };
  const registered = [keys.weak, keys.p521, keys.rsa, keys.p384, keys.p256].map(spki);
  expected = { roots: [], keys: registered, nonce, subject: "alice", now: NOW };
});

const verify = (evidence: Uint8Array, changes: Partial<Expectation> = {}) =>
  verifyEvidence(TPM_EVIDENCE, evidence, { ...expected, ...changes });
const verifyQuoteWith = (changes: Partial<TestQuote>) =>
  verify(quoteEvidence(makeQuote({ ...good, ...changes })));

describe("a quote of a TPM", () => {
  it("says what was measured, and how the TPM is", async () => {
    const { measurements, expires, platform } = await verifyQuoteWith({});
    expect(measurements).toEqual({
      code: expect.stringMatching(/^[0-9a-f]{64}$/),
      "sha256-pcr0": "01".repeat(32),
      "sha256-pcr7": "08".repeat(32),
      "sha256-pcr16": "11".repeat(32),
    });
    expect(expires).toBe(NOW + 300_000);
    expect(platform).toEqual({
      firmware: "2026010100000007",
      clock: "1234",
      clockSafe: "true",
      resets: "2",
      restarts: "3",
    });
  });

  it("tells the code apart by every register", async () => {
    const first = await verifyQuoteWith({});
    const other = await verifyQuoteWith({ banks: [bank("sha256", 0, 7, 17)] });
    expect(other.measurements.code).not.toBe(first.measurements.code);
  });

  it("tells the code apart by which registers have the values, not by the values alone", async () => {
    const of = (...indices: number[]) => {
      const values = [...bank("sha256", 0, 7).values.values()];
      return { hash: "sha256", values: new Map(indices.map((index, n) => [index, values[n]!])) } as const;
    };
    const boot = await verifyQuoteWith({ banks: [of(0, 7)] });
    // Free for whoever runs on the machine.
    const free = await verifyQuoteWith({ banks: [of(16, 23)] });
    expect(free.measurements["sha256-pcr16"]).toBe(boot.measurements["sha256-pcr0"]);
    expect(free.measurements.code).not.toBe(boot.measurements.code);
  });

  it.each<[string, () => Partial<TestQuote>]>([
    ["ECDSA of P-256 with SHA-384", () => ({ hash: "sha384" })],
    ["ECDSA of P-384 with SHA-384", () => ({ key: keys.p384, hash: "sha384" })],
    ["ECDSA of P-384 with SHA-256", () => ({ key: keys.p384 })],
    ["RSASSA with SHA-256", () => ({ key: keys.rsa, scheme: "RSASSA" })],
    ["RSASSA with SHA-384", () => ({ key: keys.rsa, scheme: "RSASSA", hash: "sha384" })],
    ["RSAPSS with a salt as long as the hash", () => ({ key: keys.rsa, scheme: "RSAPSS", saltLength: 32 })],
    ["RSAPSS with the longest salt", () => ({ key: keys.rsa, scheme: "RSAPSS", saltLength: 222 })],
    ["RSAPSS with SHA-384", () => ({ key: keys.rsa, scheme: "RSAPSS", hash: "sha384", saltLength: 206 })],
    ["registers of two banks", () => ({ banks: [bank("sha256", 0, 7), bank("sha384", 0, 23)] })],
    ["all registers", () => ({ banks: [bank("sha256", ...Array.from({ length: 24 }, (_, i) => i))] })],
  ])("is taken with %s", async (_, change) => {
    const changes = change();
    const { measurements } = await verifyQuoteWith(changes);
    const banks = changes.banks ?? good.banks;
    const entries = banks.flatMap(({ hash, values }) =>
      [...values].map(([index, value]) => [`${hash}-pcr${index}`, encodeHex(value)]),
    );
    expect(measurements).toEqual({ ...Object.fromEntries(entries), code: expect.any(String) });
  });

  it("is taken where a number of its signature begins with a zero that the TPM left out", async () => {
    for (;;) {
      const { message, signature, registers } = makeQuote(good);
      if (signature[6] !== 0) continue;
      const shorter = concat(
        signature.subarray(0, 4),
        sized(signature.subarray(7, 38)),
        signature.subarray(38),
      );
      expect(await verify(quoteEvidence({ message, signature: shorter, registers }))).toMatchObject({
        expires: NOW + 300_000,
      });
      return;
    }
  });

  it.each<[string, () => Partial<TestQuote>, string]>([
    ["that no TPM made", () => ({ magic: 0xff544348 }), "not made by a TPM"],
    ["that certifies a key instead", () => ({ type: 0x8017 }), "not a quote"],
    ["over something else", () => ({ extraData: nonce }), "another nonce, or another client"],
    ["over nothing", () => ({ extraData: new Uint8Array() }), "another nonce, or another client"],
    ["by a key that is not registered", () => ({ key: keys.other }), "the signature is of no registered key"],
    [
      "by a key that is too short",
      () => ({ key: keys.weak, scheme: "RSASSA" }),
      "the signature is of no registered key",
    ],
    ["by a key of another curve", () => ({ key: keys.p521 }), "the signature is of no registered key"],
    [
      "by RSAPSS with a salt of another length",
      () => ({ key: keys.rsa, scheme: "RSAPSS", saltLength: 20 }),
      "the signature is of no registered key",
    ],
    ["by SHA-1", () => ({ hash: "sha1" }), "another hash than SHA-256 or SHA-384"],
    [
      "by another scheme",
      () => ({ key: keys.rsa, scheme: "HMAC" }),
      "another signature than RSASSA, RSAPSS or ECDSA",
    ],
    ["of a bank of SHA-1", () => ({ banks: [bank("sha1", 0)] }), "another hash than SHA-256 or SHA-384"],
    ["of a bank twice", () => ({ banks: [bank("sha256", 0), bank("sha256", 1)] }), "a bank twice"],
    ["of no register", () => ({ banks: [bank("sha256")] }), "the measurement is missing"],
    ["of no bank", () => ({ banks: [] }), "the measurement is missing"],
    [
      "of seventeen banks",
      () => ({ banks: Array.from({ length: 17 }, () => bank("sha256", 0)), shown: [] }),
      "too many banks of registers",
    ],
    [
      "with another digest",
      () => ({ digest: new Uint8Array(32) }),
      "the registers are not those that were quoted",
    ],
    [
      "with a digest by another hash",
      () => ({ digest: new Uint8Array(48) }),
      "the registers are not those that were quoted",
    ],
    [
      "with other registers beside it",
      () => ({ shown: [bank("sha256", 0, 7, 17)] }),
      "other registers than were quoted",
    ],
    [
      "with registers of another bank beside it",
      () => ({ shown: [bank("sha384", 0, 7, 16)] }),
      "other registers than were quoted",
    ],
    [
      "with fewer registers beside it",
      () => ({ shown: [bank("sha256", 0, 7)] }),
      "other registers than were quoted",
    ],
    [
      "with registers of other values beside it",
      () => ({
        shown: [{ hash: "sha256", values: new Map([0, 7, 16].map((index) => [index, new Uint8Array(32)])) }],
      }),
      "the registers are not those that were quoted",
    ],
  ])("is refused %s", async (_, change, reason) => {
    await expect(verifyQuoteWith(change())).rejects.toThrow(new Error(reason));
  });

  it.each<[string, Partial<Expectation>, string]>([
    ["for another nonce", { nonce: new Uint8Array(32) }, "another nonce, or another client"],
    ["for another party", { subject: "bob" }, "another nonce, or another client"],
    ["where no key is registered", { keys: [] }, "the signature is of no registered key"],
    [
      "where a registered key is none",
      { keys: [new Uint8Array(90)] },
      "the signature is of no registered key",
    ],
    ["at no time", { now: Number.NaN }, "not the time of this evidence"],
  ])("is refused %s", async (_, changes, reason) => {
    await expect(verify(quoteEvidence(makeQuote(good)), changes)).rejects.toThrow(new Error(reason));
  });

  it("is taken whatever other keys are registered", async () => {
    const broken = spki(keys.p256).with(-1, spki(keys.p256).at(-1)! ^ 1);
    const others = { keys: [new Uint8Array(91), broken, spki(keys.other), ...expected.keys!] };
    expect(await verify(quoteEvidence(makeQuote(good)), others)).toMatchObject({ expires: NOW + 300_000 });
  });

  it("is refused where its key is revoked", async () => {
    const revoked = [encodeHex(await sha256(spki(keys.p256)))];
    const evidence = quoteEvidence(makeQuote(good));
    await expect(verify(evidence, { revoked })).rejects.toThrow("a key of the platform is revoked");
  });

  it("is refused where a registered key vouches by nothing but its place among the roots", async () => {
    const evidence = quoteEvidence(makeQuote(good));
    const { keys: registered, ...others } = expected;
    await expect(verifyEvidence(TPM_EVIDENCE, evidence, { ...others, roots: registered! })).rejects.toThrow(
      "no registered key",
    );
    expect(ATTESTATION_TYPES).not.toContain(TPM_EVIDENCE);
  });

  it.each<[string, (parts: ReturnType<typeof makeQuote>) => Uint8Array, string]>([
    ["trailing bytes", (parts) => concat(quoteEvidence(parts), new Uint8Array(1)), "trailing bytes"],
    [
      "trailing bytes in the quote",
      (parts) => quoteEvidence({ ...parts, message: concat(parts.message, new Uint8Array(1)) }),
      "trailing bytes",
    ],
    [
      "trailing bytes in the signature",
      (parts) => quoteEvidence({ ...parts, signature: concat(parts.signature, new Uint8Array(1)) }),
      "trailing bytes",
    ],
    [
      "trailing bytes in the registers",
      (parts) => quoteEvidence({ ...parts, registers: concat(parts.registers, new Uint8Array(1)) }),
      "trailing bytes",
    ],
    ["an end that is missing", (parts) => quoteEvidence(parts).slice(0, -1), "cut off"],
    [
      "a part that is too long",
      (parts) => quoteEvidence({ ...parts, message: new Uint8Array(1025) }),
      "too long",
    ],
    ["more bytes than evidence has", () => new Uint8Array(8193), "evidence is too long"],
    [
      "padding in an unused bank",
      (parts) => quoteEvidence({ ...parts, registers: parts.registers.with(100, 1) }),
      "padding is not zero",
    ],
    [
      "padding in a bank",
      (parts) => quoteEvidence({ ...parts, registers: parts.registers.with(10, 1) }),
      "padding is not zero",
    ],
    [
      "padding behind a register",
      (parts) => quoteEvidence({ ...parts, registers: parts.registers.with(142 + 33, 1) }),
      "padding is not zero",
    ],
    [
      "padding behind the registers",
      (parts) => quoteEvidence({ ...parts, registers: parts.registers.with(-1, 1) }),
      "padding is not zero",
    ],
    [
      "a register of another length",
      (parts) => quoteEvidence({ ...parts, registers: parts.registers.with(140, 31) }),
      "another length",
    ],
  ])("is refused with %s", async (_, change, reason) => {
    await expect(verify(change(makeQuote(good)))).rejects.toThrow(reason);
  });
});

it("a quote that anybody changed anywhere is refused with an error of its own", async () => {
  const evidence = quoteEvidence(makeQuote(good));
  const change = fc.tuple(fc.nat(evidence.length - 1), fc.integer({ min: 1, max: 255 }));
  const changed = fc.array(change, { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(changed, async (changes) => {
      const bytes = evidence.slice();
      for (const [at, mask] of changes) bytes[at]! ^= mask;
      fc.pre(bytes.some((byte, i) => byte !== evidence[i]));
      const error = await verify(bytes).then(
        () => "taken",
        (reason: Error) => reason.constructor,
      );
      expect(error).toBe(Error);
    }),
    { numRuns: 500 },
  );
});
