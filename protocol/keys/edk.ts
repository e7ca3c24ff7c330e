/**
 * EDK (M6): an encrypted data key with its metadata, signed by the KMS. The custodian archives it, and the same bytes
 * stand in the document's header. It has no `exp` in the sense of JWT: it has to verify as long as documents live;
 * `expires` is the end of the key's use, which the KMS and the microservice enforce.
 */

import { decodeBase64url } from "../base64url.ts";
import { SIGN_TYPE } from "../hierarchy/index.ts";
import { type KeyPolicy, keyPolicy } from "../policy/index.ts";
import { type SeedOfKey, seedOfKey } from "../seed.ts";
import { base64url, fits, line, literal, object, type Shape, seconds, union, whole } from "../shape.ts";
import { isSignature, KEY_ALGORITHM_NAMES, type KeyAlgorithm } from "./algorithm.ts";
import { OAEP_LENGTH, PAIR_DATA_KEY, PAIR_SHORTER } from "./data-key-pair.ts";
import { JwsError, verifyJws } from "./jws.ts";
import { type KeyRecord, keyRecord } from "./key-record.ts";
import { checkTime } from "./time.ts";
import { findKey, type TrustList } from "./trust.ts";

type Described = {
  version: 1;
  /** Random UUID of the data key; its version counts from 1. */
  keyId: string;
  keyVersion: number;
  /** What the key is for. */
  algorithm: KeyAlgorithm;
  tenant: string;
  /** Identifier of the user for whom the key was made. Informs, and says where a key of the tenant is registered; grants nothing. */
  owner: string;
  /** Seconds since 1970. */
  created: number;
  /** Seconds since 1970; absent: no end. */
  expires?: number;
  purpose: string;
  /** The wrapped data key, base64url; empty where the KMS retains it (M11) or it is derived (M9): for a 256-bit key 40 bytes, or 384 to an RSA key of 3072 bits, for a pair some 2,600 or 3,000, and 28 more under a second layer. */
  wrappedKey: string;
  policy: KeyPolicy;
  signing?: undefined;
  record?: undefined;
};

/**
 * The pair of a key that signs (M17), base64url: SubjectPublicKeyInfo, and PKCS#8 under AES-256-GCM by the key that `wrappedKey` is: nonce,
 * ciphertext and tag. So the data key comes to an instance as any other, and opens the private half there.
 */
export type SigningPair = { publicKey: string; privateKey: string };

/** Of a key of an account, which is destroyed with it. */
export type AccountEdk = Omit<Described, "signing" | "record"> & {
  account: string;
  /** The account key that wraps the data key. */
  accountKey: { id: string; version: number };
  masterKey?: undefined;
  /** Where the algorithm is a signature's, and nowhere else. */
  signing?: SigningPair;
  /** Of a document of another account, which is shared with this one: the key opens that, until `expires`, and nothing else. */
  record?: KeyRecord;
  /** Second layer (W14): the wrapped key is encrypted once more, by AES-256-GCM under a key that comes from this master key. */
  layer?: { masterKey: string };
  /**
   * Under a symmetric account key AES Key Wrap (RFC 3394), under an RSA pair RSA-OAEP with SHA-256: by their names in JWA (RFC 7518). Of a
   * data key that is a pair itself the private half by AES-GCM, under the account key, or under a content-encryption key that is under it.
   */
  wrapping: "A256KW" | "RSA-OAEP-256" | PairWrapping | "retained" | HeldWrapping;
};

/**
 * Of a data key that is under no key of the account, which back ends do that keep no account keys (M19). `resident`: it lives in the HSM,
 * and `wrappedKey` is its Unique Identifier, UTF-8. `aws-kms`: it is what AWS KMS encrypted, a CiphertextBlob, and comes to an instance in CMS.
 */
export type HeldWrapping = "resident" | "aws-kms";

/** Of a key of the tenant itself: encrypted directly under its master key (M6). */
export type TenantEdk = Described & {
  account?: undefined;
  accountKey?: undefined;
  /** Identifier of that master key at the HSM. */
  masterKey: string;
  layer?: undefined;
  /**
   * RFC 5649 AES Key Wrap with Padding, so that no account key, which is under the same key, passes for one. Under a master key
   * that is a pair RSA-OAEP with SHA-256 and a label (`DATA_LABEL`), for the same reason; JWA has no name for that. `retained-own`: one of
   * the two, and the KMS retains it (M11).
   */
  wrapping: "A256KWP" | "RSA-OAEP-256-L" | "retained-own";
};

/** Of a key that the HSM derives from a seed, which the custodian keeps (M9): of an account, or of the tenant itself. */
export type SeedEdk = Described & {
  account?: string;
  accountKey?: undefined;
  masterKey?: undefined;
  layer?: undefined;
  wrapping: "seed";
  seed: SeedOfKey;
};

/** Of a key that is wrapped in it, or retained. */
export type Edk = AccountEdk | TenantEdk | SeedEdk;

/** How a data key that is a pair stands under an account key (data-key-pair.ts). */
export type PairWrapping = "A256GCM" | "RSA-OAEP-256+A256GCM";

/** How a data key stands under what wraps it, and how many bytes it then has, of a pair at most; IV and tag of a second layer around it. */
const WRAPPED_LENGTHS = {
  A256KW: 40,
  A256KWP: 40,
  "RSA-OAEP-256": OAEP_LENGTH,
  "RSA-OAEP-256-L": OAEP_LENGTH,
  A256GCM: PAIR_DATA_KEY,
  "RSA-OAEP-256+A256GCM": PAIR_DATA_KEY + OAEP_LENGTH,
  retained: 0,
  "retained-own": 0,
  seed: 0,
  // References, and what AWS KMS encrypts, at most: 184 bytes today, of a form that it may change.
  resident: 128,
  "aws-kms": 512,
} as const;
const LAYER = 28;
export type Wrapping = keyof typeof WRAPPED_LENGTHS;

/** Whether its data key is under no key of the account. */
export function isHeld(wrapping: Wrapping): wrapping is HeldWrapping {
  return wrapping === "resident" || wrapping === "aws-kms";
}

/** Whether the KMS retains the data key (M11): of an account, or of the tenant itself. */
export function isRetained(wrapping: unknown): boolean {
  return wrapping === "retained" || wrapping === "retained-own";
}

/** Whether the data key is an RSA pair, whose public half wraps a secret for each document. */
export function isPairWrapping(wrapping: Wrapping): wrapping is PairWrapping {
  return wrapping.endsWith("A256GCM");
}

/** The same by the bytes of the wrapped key: no other has so many. */
export function isPairLength(length: number): boolean {
  return length > WRAPPED_LENGTHS["RSA-OAEP-256"] + LAYER;
}

/** Whether a wrapped key can have so many bytes: the numbers of an RSA key may lack some at their beginning. */
export function isWrappedLength(
  { wrapping, layer }: { wrapping: Wrapping; layer?: object | undefined },
  length: number,
): boolean {
  const short = WRAPPED_LENGTHS[wrapping] + (layer === undefined ? 0 : LAYER) - length;
  if (isHeld(wrapping)) return short >= 0;
  return short >= 0 && short <= (isPairWrapping(wrapping) ? PAIR_SHORTER : 0);
}

const identifier = line(64);
const version = whole(1);

const described = {
  version: literal(1),
  keyId: identifier,
  keyVersion: version,
  algorithm: literal(...KEY_ALGORITHM_NAMES),
  tenant: identifier,
  owner: line(256),
  created: seconds,
  purpose: identifier,
  wrappedKey: base64url(40, PAIR_DATA_KEY + OAEP_LENGTH + LAYER),
  policy: keyPolicy,
};
const ofAccount = { ...described, account: identifier, accountKey: object({ id: identifier, version }) };
const ofTenant = { ...described, masterKey: identifier };
const signing = object({ publicKey: base64url(32, 2048), privateKey: base64url(64, 2560) });
const maybe = { expires: seconds, layer: object({ masterKey: identifier }), signing, record: keyRecord };

const edkShape: Shape<Edk> = union("wrapping", {
  A256KW: object({ ...ofAccount, wrapping: literal("A256KW") }, maybe),
  "RSA-OAEP-256": object({ ...ofAccount, wrapping: literal("RSA-OAEP-256") }, maybe),
  A256GCM: object({ ...ofAccount, wrapping: literal("A256GCM") }, maybe),
  "RSA-OAEP-256+A256GCM": object({ ...ofAccount, wrapping: literal("RSA-OAEP-256+A256GCM") }, maybe),
  resident: object(
    { ...ofAccount, wrappedKey: base64url(1, WRAPPED_LENGTHS.resident), wrapping: literal("resident") },
    { expires: seconds },
  ),
  "aws-kms": object(
    { ...ofAccount, wrappedKey: base64url(1, WRAPPED_LENGTHS["aws-kms"]), wrapping: literal("aws-kms") },
    { expires: seconds },
  ),
  retained: object(
    { ...ofAccount, wrappedKey: literal(""), wrapping: literal("retained") },
    { expires: seconds, signing },
  ),
  seed: object(
    { ...described, wrappedKey: literal(""), wrapping: literal("seed"), seed: seedOfKey },
    { expires: seconds, account: identifier },
  ),
  "retained-own": object(
    { ...ofTenant, wrappedKey: literal(""), wrapping: literal("retained-own") },
    { expires: seconds },
  ),
  A256KWP: object({ ...ofTenant, wrapping: literal("A256KWP") }, { expires: seconds }),
  "RSA-OAEP-256-L": object({ ...ofTenant, wrapping: literal("RSA-OAEP-256-L") }, { expires: seconds }),
});

/**
 * Verifies an EDK under the trust list (purpose `edk`) at `now` (seconds). Throws `JwsError`: `jws-expired` from
 * `expires` on.
 */
export async function verifyEdk(token: string, trust: TrustList, now: number): Promise<Edk> {
  const edk = checked(await verifyJws(token, SIGN_TYPE.edk, (kid) => findKey(trust, kid, "edk")));
  checkTime({ iat: edk.created, exp: edk.expires }, now);
  return edk;
}

/** Key provider information in the document's header: names this version of this key. */
export function edkProviderInfo(edk: Pick<Edk, "keyId" | "keyVersion">): string {
  return `${edk.keyId}.${edk.keyVersion}`;
}

function checked(payload: unknown): Edk {
  if (!fits(edkShape, payload)) throw new JwsError("jws-payload", "not an EDK");
  const { length } = decodeBase64url(payload.wrappedKey);
  // Lengths with a layer, others without: neither passes for the other, nor does one way of wrapping.
  if (!isWrappedLength(payload, length)) throw new JwsError("jws-payload", "not the length of a wrapped key");
  if (isSignature(payload.algorithm) !== (payload.signing !== undefined))
    throw new JwsError("jws-payload", "not the key of that algorithm");
  if (payload.signing && isPairWrapping(payload.wrapping))
    throw new JwsError("jws-payload", "a key that signs is under a symmetric one");
  // It opens, for a time.
  if (payload.record && !(payload.expires && payload.policy.operations.join() === "decrypt"))
    throw new JwsError("jws-payload", "not an EDK");
  return payload;
}
