import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { digest } from "#protocol/digest.ts";
import { SIGN_TYPE } from "#protocol/hierarchy/index.ts";
import { otherForm } from "#protocol/keys/low-s.fixture.ts";
import { dpopToken, verifyAccessToken } from "./access-token.ts";
import { verifyProof } from "./dpop.ts";

const NOW = 1_800_000_000;
const url = "https://app.example/kms/loads";
let pair: Awaited<ReturnType<typeof generateKeyPair>>;
let jwk: { kty: "EC"; crv: "P-256"; x: string; y: string };

beforeAll(async () => {
  pair = await generateKeyPair("ES256", { extractable: true });
  const { x, y } = await exportJWK(pair.publicKey);
  jwk = { kty: "EC", crv: "P-256", x: x!, y: y! };
});

describe("DPoP proof", () => {
  const claims = { jti: "0123456789abcdef", htm: "POST", htu: url, iat: NOW };
  const sign = (change: object = {}, header: object = {}) =>
    new SignJWT({ ...claims, ...change })
      .setProtectedHeader({ alg: "ES256", typ: "dpop+jwt", jwk, ...header })
      .sign(pair.privateKey);
  const verify = async (proof: Promise<string> | string | undefined, accessToken?: string) =>
    verifyProof(await proof, { method: "POST", url, ...(accessToken !== undefined && { accessToken }) }, NOW);

  it("holds for its request", async () => {
    expect(await verify(sign())).toMatchObject({ key: jwk, jti: claims.jti });
    expect(await verify(sign({ htu: `${url}?x=1#y` }))).toMatchObject({ key: jwk });
    expect(await verify(sign({ ath: await digest("token") }), "token")).toMatchObject({ key: jwk });
  });
  it.each([
    ["another method", { htm: "GET" }, {}],
    ["another URL", { htu: "https://app.example/kms/data-keys" }, {}],
    ["another origin", { htu: "https://evil.example/kms/loads" }, {}],
    ["the past", { iat: NOW - 301 }, {}],
    ["the future", { iat: NOW + 301 }, {}],
    ["no identifier", { jti: undefined }, {}],
    ["an access token that is not there", { ath: "x" }, {}],
    ["another type", {}, { typ: "JWT" }],
    [
      "a private key",
      {},
      { jwk: { kty: "EC", crv: "P-256", x: "a".repeat(43), y: "b".repeat(43), d: "c".repeat(43) } },
    ],
    ["no key", {}, { jwk: undefined }],
  ])("is refused for %s", async (_, change, header) => {
    await expect(verify(sign(change, header))).rejects.toMatchObject({ code: "invalid-proof" });
  });
  it("is refused for a key in a text that is not canonical, so that no key has two thumbprints", async () => {
    const last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".indexOf(jwk.x.at(-1)!);
    const next = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last + 1]!;
    const same = { ...jwk, x: jwk.x.slice(0, -1) + next };
    await expect(verify(sign({}, { jwk: same }))).rejects.toMatchObject({ code: "invalid-proof" });
  });
  it("keeps its identifier in the other form of its signature, so that neither can be replayed", async () => {
    const proof = await sign();
    const [one, two] = [await verify(proof), await verify(otherForm(proof))];
    expect([two.jti, two.jkt]).toEqual([one.jti, one.jkt]);
  });
  it("is refused for a missing or another token hash, a broken signature, too much of it, or none", async () => {
    await expect(verify(sign(), "token")).rejects.toMatchObject({ code: "invalid-proof" });
    await expect(verify(sign({ ath: await digest("other") }), "token")).rejects.toMatchObject({
      code: "invalid-proof",
    });
    const [head, body] = (await sign()).split(".");
    const [, , signature] = (await sign({ jti: "fedcba9876543210" })).split(".");
    for (const wrong of [`${head}.${body}.${signature}`, "x".repeat(5000), "", undefined]) {
      await expect(verify(wrong)).rejects.toMatchObject({ code: "invalid-proof" });
    }
  });
});

describe("access token", () => {
  const claims = {
    sub: "u",
    client_id: "c",
    tenant: "t",
    custodian: "CN=u",
    cnf: { jkt: "k".repeat(43) },
    jti: "j",
    iss: "https://vault.example",
    aud: "https://app.example",
    iat: NOW - 10,
    exp: NOW + 10,
  };
  const sign = (change: object = {}, header: object = {}) =>
    new SignJWT({ ...claims, ...change })
      .setProtectedHeader({ alg: "ES256", typ: SIGN_TYPE.token, kid: "1", ...header })
      .sign(pair.privateKey);
  const verify = async (token: Promise<string> | string) => {
    const key = { ...jwk, kid: "1", alg: "ES256", use: "sig" } as const;
    const expected = { key, issuer: "https://vault.example", audience: "https://app.example", now: NOW };
    return verifyAccessToken(await token, expected);
  };

  it("names its caller", async () => {
    expect(await verify(sign())).toEqual({
      ...{ tenant: "t", user: "u", custodian: "CN=u", client: "c" },
      ...{ jkt: claims.cnf.jkt, origin: "https://app.example" },
    });
  });
  it.each([
    ["expired", { exp: NOW }, {}],
    ["without an end", { exp: undefined }, {}],
    ["of another issuer", { iss: "https://evil.example" }, {}],
    ["for another audience", { aud: "https://other.example" }, {}],
    ["not bound to a key", { cnf: undefined }, {}],
    ["of another type", {}, { typ: "JWT" }],
    ["signed by an unknown key", {}, { kid: "2" }],
  ])("is refused when %s", async (_, change, header) => {
    await expect(verify(sign(change, header))).rejects.toMatchObject({ code: "invalid-token" });
  });
  it("is taken from the DPoP scheme only", () => {
    expect(dpopToken("DPoP abc.def")).toBe("abc.def");
    for (const other of [undefined, "Bearer abc", "DPoP a b", "DPoP", "xDPoP abc"])
      expect(dpopToken(other)).toBeUndefined();
  });
});
