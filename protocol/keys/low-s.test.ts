import { expect, it } from "vitest";
import { decodeBase64url } from "../base64url.ts";
import { utf8 } from "../bytes.ts";
import { digest } from "../digest.ts";
import {
  canonicalJws,
  edkDigests,
  joinJws,
  jwkFromSpki,
  lowS,
  signingInput,
  thumbprint,
  verifyJws,
} from "./index.ts";
import { ORDER, otherForm, scalarS } from "./low-s.fixture.ts";

const ES256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const { subtle } = crypto;

async function signer() {
  const keys = await subtle.generateKey(ES256, true, ["sign", "verify"]);
  const jwk = jwkFromSpki(new Uint8Array(await subtle.exportKey("spki", keys.publicKey)));
  const kid = await thumbprint(jwk);
  return {
    sign: async (n: number) => {
      const input = signingInput({ typ: "x+jws", kid }, { n });
      const raw = new Uint8Array(await subtle.sign(ES256, keys.privateKey, utf8(input)));
      return { input, raw, token: joinJws(input, raw) };
    },
    verify: (token: string) => verifyJws(token, "x+jws", () => jwk),
  };
}

it("signs with the lower s, and takes both forms", async () => {
  const { sign, verify } = await signer();
  for (let n = 0; n < 32; n++) {
    const { token } = await sign(n);
    expect(scalarS(decodeBase64url(token.split(".")[2]!)) <= ORDER / 2n).toBe(true);
    expect(await verify(token)).toEqual({ n });
    // Of documents that were sealed before, half have this form.
    expect(await verify(otherForm(token))).toEqual({ n });
  }
});

it("knows both forms of a token by one text and one digest", async () => {
  const { sign } = await signer();
  for (let n = 0; n < 32; n++) {
    const { token } = await sign(n);
    expect(otherForm(token)).not.toBe(token);
    expect(canonicalJws(otherForm(token))).toBe(token);
    expect(canonicalJws(token)).toBe(token);
    expect(await edkDigests(otherForm(token))).toEqual(await edkDigests(token));
    expect(await edkDigests(token)).toEqual([await digest(token), await digest(otherForm(token))]);
  }
});

it("leaves alone what is no signature", () => {
  for (const raw of [new Uint8Array(64), new Uint8Array(64).fill(255), new Uint8Array(63).fill(255)])
    expect(lowS(raw)).toEqual(raw);
  for (const text of ["", "a.b", "a.b.", `a.b.${"!".repeat(86)}`, `a.b.${"_".repeat(86)}`, "x".repeat(86)])
    expect(canonicalJws(text)).toBe(text);
});
