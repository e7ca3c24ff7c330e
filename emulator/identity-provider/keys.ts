import { constants, createHmac, generateKeyPairSync, type KeyObject, randomUUID, sign } from "node:crypto";
import type { Bend, Claims } from "./bend.ts";

/** What it can sign with (RFC 7518 §3.1, RFC 8037 §3.1). */
export const ALGORITHMS = ["ES256", "RS256", "PS256", "EdDSA"] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

type SigningKey = { kid: string; algorithm: Algorithm; privateKey: KeyObject; jwk: Record<string, unknown> };

/** `forget`: what the earlier key signed is not to be verified any more. */
export type Rotation = { forget?: boolean; algorithm?: Algorithm };

/** Keys, made at each start: the newest signs, and the one before is still published until the next rotation. */
export class SigningKeys {
  #published: [SigningKey, ...SigningKey[]] = [newKey("ES256")];
  /** The last that is not published any more. */
  #withdrawn: SigningKey | undefined;

  /** RFC 7517. */
  jwks(): { keys: Record<string, unknown>[] } {
    return { keys: this.#published.map(({ jwk }) => jwk) };
  }

  /** Signs with a new key from now on. With `forget` the earlier one is not published any more. */
  rotate({ forget = false, algorithm = "ES256" }: Rotation): void {
    const [current, before] = this.#published;
    this.#withdrawn = forget ? current : (before ?? this.#withdrawn);
    this.#published = forget ? [newKey(algorithm)] : [newKey(algorithm), current];
  }

  /** A compact JWS (RFC 7515), bent as a test wants it. */
  sign(claims: Claims, type: string, bend: Bend = {}): string {
    const [current] = this.#published;
    const key = this.#bent(current, bend.signed);
    const algorithm = bend.signed === "none" || bend.signed === "HS256" ? bend.signed : key.algorithm;
    const header = { alg: algorithm, typ: type, kid: key.kid };
    const input = [bend.header?.(header) ?? header, bend.claims?.(claims) ?? claims].map(encode).join(".");
    if (algorithm === "none") return `${input}.`;
    if (algorithm === "HS256") {
      // The attack of RFC 8725 §2.1: a public value taken for a secret.
      const secret = JSON.stringify(current.jwk);
      return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
    }
    const signature = signatureOf(key, Buffer.from(input));
    if (bend.signed === "altered") signature.writeUInt8(signature.readUInt8(0) ^ 1, 0);
    return `${input}.${signature.toString("base64url")}`;
  }

  #bent(current: SigningKey, signed: Bend["signed"]): SigningKey {
    if (signed === "foreign") return { ...newKey(current.algorithm), kid: current.kid };
    if (signed !== "withdrawn") return current;
    if (this.#withdrawn === undefined) throw new Error("no key was withdrawn");
    return this.#withdrawn;
  }
}

function newKey(algorithm: Algorithm): SigningKey {
  const { publicKey, privateKey } =
    algorithm === "ES256"
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : algorithm === "EdDSA"
        ? generateKeyPairSync("ed25519")
        : generateKeyPairSync("rsa", { modulusLength: 2048 });
  const kid = randomUUID();
  const jwk = { ...publicKey.export({ format: "jwk" }), kid, alg: algorithm, use: "sig" };
  return { kid, algorithm, privateKey, jwk };
}

function signatureOf({ algorithm, privateKey: key }: SigningKey, input: Buffer): Buffer {
  switch (algorithm) {
    case "ES256":
      return sign("sha256", input, { key, dsaEncoding: "ieee-p1363" });
    case "RS256":
      return sign("sha256", input, key);
    case "PS256":
      return sign("sha256", input, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
    case "EdDSA":
      return sign(null, input, key);
  }
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
