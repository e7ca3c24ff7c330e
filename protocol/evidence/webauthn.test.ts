import { createHash, X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type AuthenticatorFault,
  EmulatedAuthenticator,
  makeAuthenticatorMaker,
} from "#emulator/enclave/index.ts";
import { decodeBase64url, encodeBase64url } from "../base64url.ts";
import { utf8 } from "../bytes.ts";
import { PASSKEY_EVIDENCE } from "../passkey.ts";
import { ATTESTATION_TYPES, counterOf, type Expectation, type Passkey, verifyEvidence } from "./index.ts";

const NOW = Date.parse("2026-11-28T12:00:00Z");
const nonce = new Uint8Array(32).fill(7);
const measurement = new Uint8Array(48).fill(0xab);
const page = { vault: "https://vault.example", app: "https://app.example" };
const order = { nonce, subject: "alice", measurement };

let device: EmulatedAuthenticator;
let passkey: Passkey;
let expected: Expectation;
/** A maker's certificate, and SHA-256 of its key. */
let root: Uint8Array;
let maker: string;
/** Of an authenticator's certificate. */
const made = "cd".repeat(32);

/** The passkey as the verifier finds it, read from what was registered: its public key ends the authenticator data. */
async function registered(of: EmulatedAuthenticator, change: Partial<Passkey> = {}): Promise<Passkey> {
  const { id, attestationObject } = await of.register("A".repeat(43), page);
  const bytes = decodeBase64url(attestationObject);
  const [x, y] = [bytes.slice(-67, -35), bytes.slice(-32)];
  const spki = [Buffer.from("3059301306072a8648ce3d020106082a8648ce3d03010703420004", "hex"), x, y];
  const publicKey = encodeBase64url(new Uint8Array(Buffer.concat(spki)));
  return { id, publicKey, counter: 4, backup: false, tier: "hardware", ...change };
}

beforeAll(async () => {
  device = new EmulatedAuthenticator();
  const certificate = new X509Certificate((await makeAuthenticatorMaker(new Date(NOW))).root);
  root = new Uint8Array(certificate.raw);
  const spki = certificate.publicKey.export({ type: "spki", format: "der" });
  maker = createHash("sha256").update(spki).digest("hex");
  passkey = await registered(device, { certifiedBy: [made, maker] });
  expected = { roots: [root], passkeys: [passkey], frame: page, nonce, subject: "alice", now: NOW };
});
const attest = (fault?: AuthenticatorFault) => {
  device.counter = 4;
  return device.attest(order, page, fault);
};
const verify = (evidence: Uint8Array, change: Partial<Expectation> = {}) =>
  verifyEvidence(PASSKEY_EVIDENCE, evidence, { ...expected, ...change });

describe("M1 an assertion by a passkey", () => {
  it("M1 says the code that it was made over, and how far its passkey is trusted", async () => {
    const evidence = await attest();
    const claims = {
      measurements: { code: "ab".repeat(48) },
      expires: NOW + 300_000,
      platform: { counter: "5" },
    };
    expect(await verify(evidence)).toEqual({ ...claims, tier: "hardware" });
    expect(counterOf(evidence)).toBe(5);
    const synced: Passkey = { ...passkey, tier: "software" };
    expect(await verify(evidence, { passkeys: [synced] })).toEqual({ ...claims, tier: "software" });
  });

  it.each<[string, AuthenticatorFault, RegExp]>([
    ["of another origin", { client: { origin: "https://evil.example" } }, /another origin/],
    ["in another page", { client: { topOrigin: "https://evil.example" } }, /another page/],
    ["in a page that the browser does not name", { client: { topOrigin: undefined } }, /another page/],
    ["in no frame", { client: { crossOrigin: false, topOrigin: undefined } }, /another page/],
    ["of a registration", { client: { type: "webauthn.create" } }, /not an assertion/],
    ["with another challenge", { client: { challenge: "A".repeat(43) } }, /another challenge/],
    ["without a challenge", { client: { challenge: undefined } }, /another challenge/],
    ["of other code than it says", { said: "cd".repeat(48) }, /another challenge/],
    ["of another relying party", { party: "evil.example" }, /relying party/],
    ["without the user's presence", { flags: 0x01 }, /not verified/],
    ["without the user's verification", { flags: 0x04 }, /not verified/],
    ["by a passkey that has become one that may leave", { flags: 0x08 }, /another kind/],
    ["backed up, where it may not be", { flags: 0x10 }, /another kind/],
    ["with credential data", { flags: 0x40 }, /not the data of an assertion/],
    ["with the counter that was seen", { counter: 4 }, /did not go on/],
    ["with a counter that went back", { counter: 3 }, /did not go on/],
    ["with a counter that fell to zero", { counter: 0 }, /did not go on/],
    ["with a signature of nothing", { signature: () => new Uint8Array([0x30, 0]) }, /DER|signature/],
  ])("M1 M20 is refused %s", async (_, fault, reason) => {
    await expect(verify(await attest(fault))).rejects.toThrow(reason);
  });

  it("M1 M20 is refused for another nonce or subject, by another's passkey, and where no frame is known", async () => {
    const evidence = await attest();
    await expect(verify(evidence, { nonce: new Uint8Array(32) })).rejects.toThrow(/another challenge/);
    await expect(verify(evidence, { subject: "bob" })).rejects.toThrow(/another challenge/);
    await expect(verify(evidence, { passkeys: [] })).rejects.toThrow(/not registered/);
    const other = await registered(new EmulatedAuthenticator());
    await expect(verify(evidence, { passkeys: [other] })).rejects.toThrow(/not registered/);
    await expect(verify(evidence, { passkeys: [{ ...other, id: passkey.id }] })).rejects.toThrow(/signature/);
    const { frame: _, ...nowhere } = expected;
    await expect(verifyEvidence(PASSKEY_EVIDENCE, evidence, nowhere)).rejects.toThrow(/not registered/);
  });

  it("M1 M20 is refused once its key, or one on its maker's path, is revoked", async () => {
    const evidence = await attest();
    const own = createHash("sha256").update(decodeBase64url(passkey.publicKey)).digest("hex");
    for (const key of [own, made, maker])
      await expect(verify(evidence, { revoked: [key] }), key).rejects.toThrow(/revoked/);
    expect(await verify(evidence, { revoked: ["ef".repeat(32)] })).toMatchObject({ tier: "hardware" });
  });

  it("M1 M20 counts as software once its maker's root is no longer in the policy", async () => {
    const evidence = await attest();
    const other = new X509Certificate((await makeAuthenticatorMaker(new Date(NOW))).root);
    for (const roots of [[], [new Uint8Array(other.raw)], [new Uint8Array([1, 2, 3])]])
      expect(await verify(evidence, { roots })).toMatchObject({ tier: "software" });
    expect(await verify(evidence, { roots: [new Uint8Array(other.raw), root] })).toMatchObject({
      tier: "hardware",
    });
    const { certifiedBy: _, ...before } = passkey;
    expect(await verify(evidence, { passkeys: [before] }), "of whom nobody knows who vouched").toMatchObject({
      tier: "software",
    });
  });

  it("M1 M20 one of an emulated authenticator is refused in production", async () => {
    const passkeys: Passkey[] = [{ ...passkey, tier: "emulated" }];
    const evidence = await attest();
    expect(await verify(evidence, { passkeys })).toMatchObject({ tier: "emulated" });
    await expect(verify(evidence, { passkeys, production: true })).rejects.toThrow(/not for production/);
  });

  it("an authenticator that counts nothing is taken as long as it never did", async () => {
    const never = { passkeys: [{ ...passkey, counter: 0 }] };
    const evidence = await attest({ counter: 0 });
    expect(await verify(evidence, never)).toMatchObject({ platform: { counter: "0" } });
  });

  it("M1 M20 is refused with any byte changed, cut off, or with more behind it", async () => {
    const evidence = await attest();
    for (let i = 0; i < evidence.length; i++) {
      const changed = evidence.slice();
      changed[i]! ^= 1;
      await expect(verify(changed), `byte ${i}`).rejects.toThrow();
    }
    await expect(verify(evidence.slice(0, -1))).rejects.toThrow();
    await expect(verify(new Uint8Array([...evidence, 0x7d]))).rejects.toThrow();
    const more = { ...JSON.parse(new TextDecoder().decode(evidence)), more: 1 };
    await expect(verify(utf8(JSON.stringify(more)))).rejects.toThrow();
    await expect(verify(new Uint8Array(5000))).rejects.toThrow(/too long/);
  }, 60_000);

  it("M1 the HSM, which knows roots alone, takes none", () => {
    expect(ATTESTATION_TYPES).not.toContain(0x80000006);
  });
});
