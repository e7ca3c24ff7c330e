import { EmbeddedJWK, jwtVerify } from "jose";
import { beforeAll, beforeEach, expect, it } from "vitest";
import { decodeBase64url } from "#protocol/base64url.ts";
import { digest } from "#protocol/digest.ts";
import { type Authority, DN, digitalSignature, makeAuthority, START } from "../authority.fixture.ts";
import { captureCrypto } from "../crypto.ts";
import { generateInstanceKeys, type InstanceKeys } from "../keys.ts";
import { restAuthorities } from "./index.ts";

const VAULT = "https://vault.example";
let authority: Authority;
let keys: InstanceKeys;
let identityCertificate: Uint8Array<ArrayBuffer>;
beforeAll(async () => {
  authority = await makeAuthority();
  keys = await generateInstanceKeys(crypto.subtle);
  identityCertificate = await authority.leaf(keys.identitySpki, digitalSignature);
});

let now: number;
let asked: Request[];
let refusals: string[];
beforeEach(() => {
  now = START;
  asked = [];
  refusals = [];
});

const account = { id: "ak-1", version: 1, wrapped: "A".repeat(54), master: "m-1" };
const ANSWERS: Record<string, object> = {
  "/instances/token": { access_token: "t-1", token_type: "DPoP", expires_in: 300 },
  "/instances/master-key": { wrappedKey: "AAAA", receipt: "e30.e30.AA" },
  "/instances/key-identifiers": { keyId: "k-1", keyVersion: 2, accountKey: { id: "ak-1", version: 1 } },
  "/instances/accounts/a-1/key": account,
  "/instances/accounts/a-1/data-keys/k-1.2": { edk: "e30.e30.AA" },
  "/instances/accounts/a-1/data-keys": { edks: ["e30.e30.AA"] },
};

function authorities() {
  return restAuthorities({
    crypto: captureCrypto(crypto),
    record: { id: "i-1", custodian: DN, identityKey: keys.identityKey, identityCertificate },
    vault: VAULT,
    now: () => now,
    delay: async () => {},
    fetch: async (input, init) => {
      const request = new Request(input, init);
      asked.push(request.clone());
      const { pathname } = new URL(request.url);
      const code = pathname === "/instances/token" ? undefined : refusals.shift();
      if (code) {
        const type = { "content-type": "application/problem+json" };
        return new Response(JSON.stringify({ code }), { status: 401, headers: type });
      }
      return Response.json(ANSWERS[pathname]);
    },
  });
}

const verify = (jwt: string, typ: string) => jwtVerify(jwt, EmbeddedJWK, { typ, currentDate: new Date(now) });
const paths = () => asked.map(({ method, url }) => `${method} ${url.slice(VAULT.length)}`);

it("W9 knows itself by its identity key: a private-key JWT for a token, and a proof with each request", async () => {
  await authorities().masterKey("c", undefined, { share: "s" });
  const [token, request] = asked;
  const form = new URLSearchParams(await token!.text());
  expect(form.get("grant_type")).toBe("client_credentials");
  const key = await crypto.subtle.importKey(
    "spki",
    keys.identitySpki,
    { name: "ECDSA", namedCurve: "P-256" },
    true,
    ["verify"],
  );
  const { payload, protectedHeader } = await jwtVerify(form.get("client_assertion")!, key, {
    ...{ issuer: "i-1", subject: "i-1", audience: VAULT, currentDate: new Date(now) },
    ...{ typ: "client-authentication+jwt", maxTokenAge: 1, algorithms: ["ES256"] },
  });
  expect(protectedHeader.kid).toBe(await digest(identityCertificate));
  expect(payload).toMatchObject({ custodian: DN, exp: START / 1000 + 60 });
  const first = await verify(token!.headers.get("dpop")!, "dpop+jwt");
  expect(first.payload).toMatchObject({ htm: "POST", htu: `${VAULT}/instances/token` });
  const second = await verify(request!.headers.get("dpop")!, "dpop+jwt");
  expect(second.payload).toMatchObject({ htu: `${VAULT}/instances/master-key`, ath: await digest("t-1") });
  expect(decodeBase64url(String(second.payload.jti))).toHaveLength(16);
  expect(new Set([payload.jti, first.payload.jti, second.payload.jti]).size).toBe(3);
  expect(request!.headers.get("authorization")).toBe("DPoP t-1");
  expect(await request!.json()).toEqual({ challenge: "c", appKey: { share: "s" } });
});

it("asks each for what it has, with one token until that ends", async () => {
  const { keyIdentifier, dataKey, dataKeys, accountKey } = authorities();
  expect(await keyIdentifier("a-1", "k-1.2")).toMatchObject({ keyId: "k-1", keyVersion: 2 });
  expect(await Promise.all([dataKey("a-1", "k-1.2"), accountKey("a-1", "ak-1")])).toEqual([
    "e30.e30.AA",
    account,
  ]);
  now += 280_000;
  expect(await dataKeys("a-1")).toEqual(["e30.e30.AA"]);
  const sent = paths();
  // Side by side.
  expect(sent.splice(2, 2).sort()).toEqual([
    "GET /instances/accounts/a-1/data-keys/k-1.2",
    "GET /instances/accounts/a-1/key?id=ak-1",
  ]);
  expect(sent).toEqual([
    "POST /instances/token",
    "POST /instances/key-identifiers",
    "POST /instances/token",
    "GET /instances/accounts/a-1/data-keys",
  ]);
  expect(await asked[1]!.json()).toEqual({ account: "a-1", purpose: "document", key: "k-1.2" });
});

it("asks for another token once where one is refused before its time, and says what is refused else", async () => {
  const { dataKeys } = authorities();
  refusals = ["invalid-token"];
  expect(await dataKeys("a-1")).toHaveLength(1);
  expect(paths().filter((path) => path.includes("token"))).toHaveLength(2);
  refusals = ["invalid-token", "invalid-token"];
  await expect(dataKeys("a-1")).rejects.toMatchObject({ code: "invalid-token" });
  refusals = ["forbidden"];
  await expect(dataKeys("a-1")).rejects.toMatchObject({ code: "forbidden" });
  expect(refusals).toEqual([]);
});
