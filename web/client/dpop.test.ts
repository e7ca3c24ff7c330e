import { EmbeddedJWK, jwtVerify } from "jose";
import { expect, it } from "vitest";
import { thumbprint } from "#protocol/keys/index.ts";
import { createDpopKey, createProof } from "./dpop.ts";
import { challengeFor, createVerifier } from "./pkce.ts";

it("challenges with the SHA-256 of the verifier (RFC 7636 appendix B)", async () => {
  const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  expect(await challengeFor(verifier)).toBe("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
});

it("makes verifiers of 43 characters, never the same twice", () => {
  expect(createVerifier()).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(createVerifier()).not.toBe(createVerifier());
});

it("has the thumbprint of RFC 7638's members in order", async () => {
  const jwk = {
    kty: "EC",
    crv: "P-256",
    x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
  } as const;
  expect(await thumbprint({ ...jwk, extra: "ignored" } as typeof jwk)).toBe(
    "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U",
  );
});

it("proves possession of a key that cannot be exported, for one method, URL and token", async () => {
  const key = await createDpopKey();
  expect(key.privateKey.extractable).toBe(false);
  const now = 1_800_000_000_123;
  const subject = {
    method: "PUT",
    url: "https://app.test/documents/1?x=1#y",
    accessToken: "token",
    nonce: "n",
  };
  const proof = await createProof(key, subject, now, "unique");
  const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
    typ: "dpop+jwt",
    algorithms: ["ES256"],
    currentDate: new Date(now),
  });
  expect(payload).toEqual({
    jti: "unique",
    htm: "PUT",
    htu: "https://app.test/documents/1",
    iat: 1_800_000_000,
    // base64url SHA-256 of "token"
    ath: "PEaenWxYddN6Q_NT1PiOYfz4EsZu7jRXRlpAsNpBU-A",
    nonce: "n",
  });
  expect(Object.keys(protectedHeader.jwk!).sort()).toEqual(["crv", "kty", "x", "y"]);
});
