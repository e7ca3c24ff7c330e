import { createHmac, generateKeyPairSync, type KeyObject, randomUUID, sign } from "node:crypto";
import type { Bend, Claims } from "./bend.ts";

type SigningKey = { kid: string; privateKey: KeyObject; jwk: Record<string, unknown> };

/** ES256 keys, made at each start: the newest signs, and the one before is still published until the next rotation. */
export class SigningKeys {
  #published: [SigningKey, ...SigningKey[]] = [newKey()];

  /** RFC 7517. */
  jwks(): { keys: Record<string, unknown>[] } {
    return { keys: this.#published.map(({ jwk }) => jwk) };
  }

  /** Signs with a new key from now on. With `forget` the earlier one is not published any more. */
  rotate(forget: boolean): void {
    const [current] = this.#published;
    this.#published = forget ? [newKey()] : [newKey(), current];
  }

  /** A compact JWS (RFC 7515), bent as a test wants it. */
  sign(claims: Claims, type: string, bend: Bend = {}): string {
    const [current] = this.#published;
    const key = bend.signed === "foreign" ? { ...newKey(), kid: current.kid } : current;
    const algorithm = bend.signed === "none" || bend.signed === "HS256" ? bend.signed : "ES256";
    const header = { alg: algorithm, typ: type, kid: key.kid };
    const input = [bend.header?.(header) ?? header, bend.claims?.(claims) ?? claims].map(encode).join(".");
    if (algorithm === "none") return `${input}.`;
    if (algorithm === "HS256") {
      // The attack of RFC 8725 §2.1: a public value taken for a secret.
      const secret = JSON.stringify(current.jwk);
      return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
    }
    const signature = sign("sha256", Buffer.from(input), {
      key: key.privateKey,
      dsaEncoding: "ieee-p1363",
    });
    if (bend.signed === "altered") signature.writeUInt8(signature.readUInt8(0) ^ 1, 0);
    return `${input}.${signature.toString("base64url")}`;
  }
}

function newKey(): SigningKey {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const kid = randomUUID();
  return { kid, privateKey, jwk: { ...publicKey.export({ format: "jwk" }), kid, alg: "ES256", use: "sig" } };
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
