import { createCipheriv, createPublicKey, randomBytes, sign } from "node:crypto";
import { encodeBase64url } from "#protocol/base64url.ts";
import { concat, utf8 } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import { thumbprint } from "#protocol/jwk.ts";
import { jwsInput, jwsPart, jwsToken } from "#protocol/jws.ts";
import type { CredentialFault } from "./credential-faults.ts";
import type { EvidenceOrder } from "./evidence.ts";
import type { Platform } from "./platform.ts";
import { hwversion, PLATFORM_VERSION } from "./platform-version.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A secret that was assigned to a platform, and that a verifier knows under the same name: 32 bytes. */
export interface PlatformKey {
  name: string;
  secret: Uint8Array;
}

/** M1: a credential signed by the platform's key: compact JWS, ES256, as bytes. `fault` is what is to be wrong with it. */
export async function signedCredential(
  { key }: Pick<Platform, "key">,
  order: EvidenceOrder,
  fault: CredentialFault = {},
): Promise<Bytes> {
  const { x = "", y = "" } = createPublicKey(key).export({ format: "jwk" });
  const kid = await thumbprint({ kty: "EC", crv: "P-256", x, y });
  const header = { alg: "ES256", typ: "credential+jwt", kid, ...fault.header };
  const input = jwsInput(header, claimsOf(order, fault));
  const signed = fault.endOf ? jwsInput(header, { ...claimsOf(order, fault), ...fault.endOf }) : input;
  const signature = sign("sha256", utf8(signed), { key, dsaEncoding: "ieee-p1363" });
  const token = jwsToken(input, new Uint8Array(signature));
  return utf8(fault.token?.(token) ?? token);
}

/** M1: a credential encrypted under the platform's key: compact JWE, `dir` and A256GCM, as bytes. */
export function encryptedCredential(
  { name, secret }: PlatformKey,
  order: EvidenceOrder,
  fault: CredentialFault = {},
): Bytes {
  const header = jwsPart({ alg: "dir", enc: "A256GCM", typ: "credential+jwe", kid: name, ...fault.header });
  const sealed = (more = {}) => {
    const iv = new Uint8Array(randomBytes(12));
    const cipher = createCipheriv("aes-256-gcm", secret, iv);
    cipher.setAAD(utf8(header));
    const text = utf8(JSON.stringify({ ...claimsOf(order, fault), ...more }));
    const body = concat(cipher.update(text), cipher.final());
    return { iv, body, tag: new Uint8Array(cipher.getAuthTag()) };
  };
  const { iv, body, tag } = sealed();
  const end = fault.endOf ? sealed(fault.endOf).tag : tag;
  const parts = [iv, body, end].map(encodeBase64url);
  const token = [header, "", ...parts].join(".");
  return utf8(fault.token?.(token) ?? token);
}

function claimsOf(
  { nonce, client, measurement, version = PLATFORM_VERSION, now, lifetime = 120 }: EvidenceOrder,
  fault: CredentialFault,
) {
  const iat = seconds(now) + (fault.later ?? 0);
  return {
    environment: "EMULATED",
    eat_nonce: encodeBase64url(nonce),
    sub: client,
    iat,
    exp: iat + (fault.lifetime ?? lifetime),
    measurement,
    hwversion: hwversion(version),
    ...fault.claims,
  };
}
