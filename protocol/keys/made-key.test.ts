import { beforeAll, expect, it } from "vitest";
import { encodeBase64url } from "../base64url.ts";
import { utf8 } from "../bytes.ts";
import { digest } from "../digest.ts";
import { SIGN_TYPE } from "../hierarchy/index.ts";
import { type EcPublicJwk, jwkFromSpki, thumbprint } from "../jwk.ts";
import { joinJws, MADE_KEY_TYPE, type MadeKey, signingInput, verifyMadeKey } from "./index.ts";

const NOW = 1_800_000_000;
const wrappedKey = new Uint8Array(384).fill(3);
type Signer = {
  key: EcPublicJwk;
  kid: string;
  sign(payload: object, typ?: string, kid?: string): Promise<string>;
};
let instance: Signer;
let other: Signer;
let said: MadeKey;

async function signer(): Promise<Signer> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const pair = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const key = jwkFromSpki(new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey)));
  const kid = await thumbprint(key);
  return {
    ...{ key, kid },
    async sign(payload, typ = MADE_KEY_TYPE, named = kid) {
      const input = signingInput({ typ, kid: named }, payload);
      return joinJws(
        input,
        new Uint8Array(await crypto.subtle.sign(algorithm, pair.privateKey, utf8(input))),
      );
    },
  };
}

beforeAll(async () => {
  [instance, other] = await Promise.all([signer(), signer()]);
  said = {
    ...{ version: 1, instance: "i-1", account: "a-1", accountKey: "ak-1" },
    ...{ wrappedKeyDigest: await digest(wrappedKey), iat: NOW, exp: NOW + 120 },
  };
});

const verify = (token: string, over: object = {}) =>
  verifyMadeKey(token, {
    ...{ key: instance.key, identityKey: instance.kid, instance: "i-1", account: "a-1", accountKey: "ak-1" },
    ...{ wrappedKey, now: NOW + 1, ...over },
  });

it("W10 holds for the key that the instance has made, for this account, just now", async () => {
  await expect(verify(await instance.sign(said))).resolves.toEqual(said);
});

it.each<[string, object, string]>([
  ["another instance", { instance: "i-2" }, "jws-payload"],
  ["another account", { account: "a-2" }, "jws-payload"],
  ["another account key", { accountKey: "ak-2" }, "jws-payload"],
  ["another wrapped key", { wrappedKeyDigest: encodeBase64url(new Uint8Array(32)) }, "jws-payload"],
  ["a time that is over", { iat: NOW - 200, exp: NOW - 80 }, "jws-expired"],
  ["a time to come", { iat: NOW + 3600, exp: NOW + 3700 }, "jws-early"],
  ["a long time", { exp: NOW + 3600 }, "jws-expired"],
  ["more", { more: 1 }, "jws-payload"],
])("W10 is refused for %s", async (_, over, code) => {
  await expect(verify(await instance.sign({ ...said, ...over }))).rejects.toMatchObject({ code });
});

it("W10 is refused by another key, as another type, and where the registration authority has another key", async () => {
  await expect(verify(await other.sign(said))).rejects.toMatchObject({ code: "jws-key" });
  await expect(verify(await other.sign(said), { key: other.key })).rejects.toMatchObject({ code: "jws-key" });
  const posed = await other.sign(said, MADE_KEY_TYPE, instance.kid);
  await expect(verify(posed, { key: other.key })).rejects.toMatchObject({ code: "jws-key" });
  await expect(verify(posed)).rejects.toMatchObject({ code: "jws-signature" });
  await expect(verify(await instance.sign(said, SIGN_TYPE.token))).rejects.toMatchObject({
    code: "jws-type",
  });
  const altered = (await instance.sign(said)).replace(/.$/, (last) => (last === "A" ? "Q" : "A"));
  await expect(verify(altered)).rejects.toThrow();
});
