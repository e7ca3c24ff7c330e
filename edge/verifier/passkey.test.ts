import { X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type AuthenticatorFault,
  type AuthenticatorMaker,
  type AuthenticatorOptions,
  EmulatedAuthenticator,
  makeAuthenticatorMaker,
} from "#emulator/enclave/index.ts";
import { encodeBase64url } from "#protocol/base64url.ts";
import { PASSKEY_EVIDENCE } from "#protocol/passkey.ts";
import { verifyRegistration } from "./passkey.ts";
import type { Policy } from "./policy.ts";

const challenge = encodeBase64url(new Uint8Array(32).fill(7));
const page = { vault: "https://vault.example", app: "https://app.example" };
const where = { challenge, vault: page.vault, apps: ["https://other.example", page.app] };
/** A model of a maker's. */
const model = "ab".repeat(16);
let maker: AuthenticatorMaker;
let policy: Policy;
beforeAll(async () => {
  maker = await makeAuthenticatorMaker(new Date());
  const roots = [encodeBase64url(new X509Certificate(maker.root).raw)];
  policy = { id: "p", accept: [{ type: PASSKEY_EVIDENCE, roots }], references: [] };
});

async function register(
  options: AuthenticatorOptions = {},
  { fault = {}, ...change }: { fault?: AuthenticatorFault } & Partial<typeof where & { id: string }> = {},
  under: Policy | undefined = policy,
  production = false,
) {
  const made = await new EmulatedAuthenticator(options).register(challenge, page, fault);
  return verifyRegistration(under, { ...made, ...where, ...change }, { now: Date.now(), production });
}

describe("M1 a passkey that is registered", () => {
  it("M1 is trusted as its maker vouches for it, and as it is kept", async () => {
    const certified = await register({ model, maker });
    expect(certified).toMatchObject({
      passkey: { counter: 0, backup: false, tier: "hardware" },
      authenticator: "abababab-abab-abab-abab-abababababab",
    });
    expect(await register({ model, maker, synced: true }), "it may leave its authenticator").toMatchObject({
      passkey: { backup: true, tier: "software" },
    });
    expect(await register({ model }), "nobody vouches").toMatchObject({ passkey: { tier: "software" } });
    const stranger = await makeAuthenticatorMaker(new Date());
    expect(await register({ model, maker: stranger }), "a maker that nobody knows").toMatchObject({
      passkey: { tier: "software" },
    });
    const without: Policy = { ...policy, accept: [{ type: PASSKEY_EVIDENCE }] };
    expect(await register({ model, maker }, {}, without), "no maker is known").toMatchObject({
      passkey: { tier: "software" },
    });
  });

  it("M1 of a browser's virtual authenticator is emulated, whoever vouches for it, and refused in production", async () => {
    expect(await register({ maker })).toMatchObject({ passkey: { tier: "emulated" } });
    await expect(register({ maker }, {}, policy, true)).rejects.toThrow("not for production");
    expect(await register({ model, maker }, {}, policy, true)).toMatchObject({
      passkey: { tier: "hardware" },
    });
  });

  it.each<[string, Parameters<typeof register>[1], RegExp]>([
    ["of another origin", { fault: { client: { origin: "https://evil.example" } } }, /origin/],
    [
      "in a page that is no app's",
      { fault: { client: { topOrigin: "https://evil.example" } } },
      /another page/,
    ],
    [
      "in a page that the browser does not name",
      { fault: { client: { topOrigin: undefined } } },
      /another page/,
    ],
    ["in no frame", { fault: { client: { crossOrigin: false } } }, /another page/],
    ["of an assertion", { fault: { client: { type: "webauthn.get" } } }, /type/],
    ["for another challenge", { challenge: encodeBase64url(new Uint8Array(32)) }, /challenge/],
    ["of another relying party", { fault: { party: "evil.example" } }, /RP ID/],
    ["without the user's presence", { fault: { flags: 0x01 } }, /present/],
    ["without the user's verification", { fault: { flags: 0x04 } }, /verif/],
    ["under another id", { id: "A".repeat(22) }, /another passkey|ID/],
    ["without its attestation", { attestationObject: "oA" } as never, /./],
  ])("M1 M20 is refused %s", async (_, change, reason) => {
    await expect(register({ model, maker }, change)).rejects.toThrow(reason);
  });

  it("M1 M20 is refused where no passkeys are taken", async () => {
    await expect(register({}, {}, { ...policy, accept: [] })).rejects.toThrow("no passkeys are taken");
    const none = await new EmulatedAuthenticator().register(challenge, page);
    await expect(
      verifyRegistration(undefined, { ...none, ...where }, { now: Date.now(), production: false }),
    ).rejects.toThrow("no passkeys are taken");
  });
});
