import { afterEach, beforeAll, expect, it, vi } from "vitest";
import { CborEntries, type CborInput, encodeCbor } from "#emulator/enclave/cbor.ts";
import { EmulatedAuthenticator } from "#emulator/enclave/index.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { decodeCbor } from "#protocol/evidence/index.ts";
import { PASSKEY_EVIDENCE } from "#protocol/passkey.ts";
import { readAttestationObject } from "./attestation-object.ts";
import { verifyRegistration } from "./passkey.ts";

const challenge = encodeBase64url(new Uint8Array(32).fill(7));
const page = { vault: "https://vault.example", app: "https://app.example" };
const policy = { id: "p", accept: [{ type: PASSKEY_EVIDENCE }], references: [] };
/** Of a sound registration. */
let made: Awaited<ReturnType<EmulatedAuthenticator["register"]>>;
let data: Uint8Array<ArrayBuffer>;
beforeAll(async () => {
  made = await new EmulatedAuthenticator().register(challenge, page);
  const object = decodeCbor(decodeBase64url(made.attestationObject)) as ReadonlyMap<string, Uint8Array>;
  data = object.get("authData")!.slice();
});
afterEach(() => vi.restoreAllMocks());

const encoded = (fmt: CborInput, statement: Record<string, CborInput>, authData: CborInput = data) =>
  encodeCbor(
    new CborEntries([
      ["fmt", fmt],
      ["attStmt", new CborEntries(Object.entries(statement))],
      ["authData", authData],
    ]),
  );
const register = (object: Uint8Array) =>
  verifyRegistration(
    policy,
    {
      ...{ ...made, attestationObject: encodeBase64url(object), challenge },
      ...{ vault: page.vault, apps: [page.app] },
    },
    { now: Date.now(), production: false },
  );
const bytes = (length: number) => new Uint8Array(length).fill(1);
const sig = bytes(1);
/** A number that a careless reader takes for a length. */
const LARGE = 2 ** 20;

it("M1 M20 is refused with certificates that are none", async () => {
  const none: CborInput[] = [
    [LARGE],
    [bytes(8), LARGE],
    ["a certificate"],
    Array.from({ length: 6 }, () => bytes(8)),
    Array.from({ length: 400 }, () => 1),
    [[bytes(8)]],
    [new CborEntries([[0, bytes(8)]])],
    [null],
    [bytes(4097)],
    [bytes(0)],
    [],
    LARGE,
    bytes(8),
    "text",
  ];
  const rest = { alg: -7, sig, ver: "2.0", certInfo: sig, pubArea: sig };
  const { ver, certInfo, pubArea, ...packed } = rest;
  for (const x5c of none) {
    for (const [fmt, statement] of Object.entries({ packed, "fido-u2f": { sig }, tpm: rest }))
      await expect(register(encoded(fmt, { ...statement, x5c }))).rejects.toThrow(
        `not a statement of the format ${fmt}`,
      );
  }
  await expect(
    register(encoded("packed", { ...packed, x5c: Array.from({ length: 1000 }, () => 1) })),
  ).rejects.toThrow("too many items");
  await expect(register(encoded("packed", { ...packed, x5c: [[[[bytes(8)]]]] }))).rejects.toThrow("too deep");
  // As many and as long as there may be are read, and whoever makes them is not known.
  const x5c = Array.from({ length: 5 }, () => bytes(4096));
  expect(readAttestationObject(encoded("fido-u2f", { sig, x5c })).certificates).toEqual(x5c);
});

it.each<[string, string, Record<string, CborInput>]>([
  ["with a statement that says nothing", "none", { sig }],
  ["with a number for a signature", "packed", { alg: -7, sig: LARGE }],
  ["with a signature that is too long", "packed", { alg: -7, sig: bytes(1025) }],
  ["with text for an algorithm", "packed", { alg: "ES256", sig }],
  ["without an algorithm", "packed", { sig }],
  ["with a member that is not known", "packed", { alg: -7, sig, ecdaaKeyId: sig }],
  ["with a member whose name has more before it", "packed", { alg: -7, sig, "\ufeffx5c": LARGE }],
  [
    "of a TPM of another version",
    "tpm",
    { ver: "1.2", alg: -7, sig, x5c: [sig], certInfo: sig, pubArea: sig },
  ],
  [
    "of a TPM with a number in it",
    "tpm",
    { ver: "2.0", alg: -7, sig, x5c: [sig], certInfo: LARGE, pubArea: sig },
  ],
])("M1 M20 is refused %s", async (_, fmt, statement) => {
  await expect(register(encoded(fmt, statement))).rejects.toThrow("not a statement of the format");
});

it("M1 M20 is refused with a passkey's key that is none, and with more in the data than it says", async () => {
  expect(readAttestationObject(encoded("none", {})).format).toBe("none");
  const before = data.slice(0, -77);
  const key = (x: CborInput) =>
    encodeCbor(
      new CborEntries([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, x],
        [-3, bytes(32)],
      ]),
    );
  const wrong: [Uint8Array, RegExp][] = [
    [new Uint8Array([...before, ...key(LARGE), ...bytes(40)]), /not a key of P-256/],
    [new Uint8Array([...before, ...key(bytes(31)), 0]), /not a key of P-256/],
    [data.slice(0, -1), /cut off/],
    [data.slice(0, 40), /no passkey/],
    [new Uint8Array([...data, 0]), /other things/],
  ];
  for (const [one, reason] of wrong)
    expect(() => readAttestationObject(encoded("none", {}, one))).toThrow(reason);
  const extended = new Uint8Array([...data, ...encodeCbor(new CborEntries([["credProtect", 2]]))]);
  extended[32]! |= 0x80;
  expect(readAttestationObject(encoded("none", {}, extended)).format).toBe("none");
  expect(() => readAttestationObject(encoded("none", {}, LARGE))).toThrow("not an attestation object");
});

it("M1 M20 is vouched for by nobody in formats whose certificates would have the verifier ask their addresses", async () => {
  const fetch = vi.spyOn(globalThis, "fetch").mockRejectedValue(new Error("no network"));
  for (const fmt of ["android-key", "android-safetynet", "apple", "compound"])
    for (const statement of [{ alg: -7, sig, x5c: [bytes(8)] }, { x5c: LARGE }, {}]) {
      const registered = await register(encoded(fmt, statement)).catch(String);
      expect(registered).toMatchObject({ passkey: { id: made.id, tier: "emulated" } });
      expect(registered).not.toHaveProperty("passkey.certifiedBy");
    }
  for (const fmt of ["constructor", "", 1])
    await expect(register(encoded(fmt, {}))).rejects.toThrow("a format that is not taken");
  await expect(register(encoded("apple", {}, LARGE))).rejects.toThrow("not an attestation object");
  await expect(register(encoded("apple", {}, data.slice(0, -1)))).rejects.toThrow("cut off");
  expect(fetch).not.toHaveBeenCalled();
});
