import {
  createDecipheriv,
  createHmac,
  createPrivateKey,
  type KeyObject,
  pbkdf2Sync,
  timingSafeEqual,
  X509Certificate,
} from "node:crypto";
import { type Part, readInteger, readObjectIdentifier, readParts } from "./der.ts";
import { CIPHER_KEY, INITIALIZATION_VECTOR, MAC_KEY, type Pkcs12Hash, pkcs12Key } from "./pkcs12-key.ts";

/** What a PKCS#12 says that this reader does not know. */
export class Pkcs12Unsupported extends Error {}

/** A wrong password, or a PKCS#12 that somebody changed. */
export class Pkcs12Refused extends Error {}

export interface Pkcs12Content {
  key: KeyObject;
  friendlyName?: string | undefined;
  /** The key's own first, then from issuer to issuer. */
  certificates: X509Certificate[];
}

const OID = {
  data: "1.2.840.113549.1.7.1",
  encryptedData: "1.2.840.113549.1.7.6",
  keyBag: "1.2.840.113549.1.12.10.1.1",
  shroudedKeyBag: "1.2.840.113549.1.12.10.1.2",
  certBag: "1.2.840.113549.1.12.10.1.3",
  x509Certificate: "1.2.840.113549.1.9.22.1",
  friendlyName: "1.2.840.113549.1.9.20",
  pbes2: "1.2.840.113549.1.5.13",
  pbkdf2: "1.2.840.113549.1.5.12",
};

const HASHES: Readonly<Record<string, Pkcs12Hash>> = {
  "1.3.14.3.2.26": "sha1",
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};

/** Pseudorandom functions of PBKDF2. */
const FUNCTIONS: Readonly<Record<string, string>> = {
  "1.2.840.113549.2.7": "sha1",
  "1.2.840.113549.2.8": "sha224",
  "1.2.840.113549.2.9": "sha256",
  "1.2.840.113549.2.10": "sha384",
  "1.2.840.113549.2.11": "sha512",
};

/** Ciphers of PBES2, and of the older schemes with SHA-1 (RFC 7292 §C), with the lengths of their keys. */
const CIPHERS: Readonly<Record<string, readonly [string, number]>> = {
  "2.16.840.1.101.3.4.1.2": ["aes-128-cbc", 16],
  "2.16.840.1.101.3.4.1.22": ["aes-192-cbc", 24],
  "2.16.840.1.101.3.4.1.42": ["aes-256-cbc", 32],
  "1.2.840.113549.3.7": ["des-ede3-cbc", 24],
};
const OLDER_CIPHERS: Readonly<Record<string, readonly [string, number]>> = {
  "1.2.840.113549.1.12.1.3": ["des-ede3-cbc", 24],
  "1.2.840.113549.1.12.1.4": ["des-ede-cbc", 16],
};

/** Iterations that one PKCS#12 may cost in all; those of PKCS#12 itself, which no library does for us, cost more. */
const MAX_ITERATIONS = 1_000_000;
const OWN_ITERATION = 10;
/** Keys and certificates: each certificate is compared with all others to find the chain. */
const MOST = 64;

interface Opener {
  password: string;
  /** Iterations that are left. */
  left: number;
}

function iterationsOf(part: Part | undefined, opener: Opener, cost: number): number {
  const iterations = part ? readInteger(part) : 1;
  opener.left -= iterations * cost;
  if (iterations < 1 || opener.left < 0) throw new RangeError("Not a number of iterations");
  return iterations;
}

interface Found {
  keys: { key: KeyObject; name: string | undefined }[];
  certificates: X509Certificate[];
}

/**
 * The private key and its certificates (RFC 7292): the key of that name where there are several. Throws
 * `Pkcs12Refused`, `Pkcs12Unsupported`, and anything else where the bytes are no PKCS#12.
 */
export function decodePkcs12(bytes: Uint8Array, password: string, name?: string): Pkcs12Content {
  const [pfx, ...rest] = readParts(bytes);
  const [version, safe, mac] = inside(pfx);
  if (rest.length > 0 || readInteger(version!) !== 3) throw new RangeError("Not version 3");
  const content = dataOf(safe!);
  const opener = { password, left: MAX_ITERATIONS };
  if (mac) verify(mac, content, opener);
  const found: Found = { keys: [], certificates: [] };
  for (const info of inside(readParts(content)[0])) gather(opened(info, opener), opener, found);
  const chosen = found.keys.length === 1 ? found.keys[0] : found.keys.find((one) => one.name === name);
  if (!chosen) throw new RangeError("No key, or several");
  return {
    key: chosen.key,
    friendlyName: chosen.name,
    certificates: chainOf(chosen.key, found.certificates),
  };
}

function verify(mac: Part, content: Uint8Array, opener: Opener): void {
  const [info, salt, count] = inside(mac);
  const [algorithm, digest] = inside(info);
  const hash = HASHES[readObjectIdentifier(inside(algorithm)[0]!)];
  if (!hash) throw new Pkcs12Unsupported("Not a hash of PKCS#12");
  const salted = { salt: salt!.content, iterations: iterationsOf(count, opener, OWN_ITERATION) };
  const key = pkcs12Key(hash, MAC_KEY, opener.password, salted, digest!.content.length);
  const expected = createHmac(hash, key).update(content).digest();
  if (expected.length !== digest!.content.length || !timingSafeEqual(expected, digest!.content))
    throw new Pkcs12Refused("Not the password");
}

/** The safe bags of a content info. */
function opened(info: Part, opener: Opener): Uint8Array {
  const [kind] = inside(info);
  if (readObjectIdentifier(kind!) !== OID.encryptedData) return dataOf(info);
  const [, encrypted] = inside(inside(inside(info)[1])[0]);
  const [, algorithm, content] = inside(encrypted);
  return decrypt(algorithm!, content!.content, opener);
}

function gather(bytes: Uint8Array, opener: Opener, found: Found): void {
  for (const bag of inside(readParts(bytes)[0])) {
    if (found.keys.length + found.certificates.length >= MOST)
      throw new Pkcs12Unsupported(`There are ${MOST} keys and certificates at most`);
    const [kind, wrapper, attributes] = inside(bag);
    const [value] = inside(wrapper);
    switch (readObjectIdentifier(kind!)) {
      case OID.keyBag:
        found.keys.push({ key: privateKey(value!.whole), name: nameIn(attributes) });
        break;
      case OID.shroudedKeyBag: {
        const [algorithm, content] = inside(value);
        const key = privateKey(decrypt(algorithm!, content!.content, opener));
        found.keys.push({ key, name: nameIn(attributes) });
        break;
      }
      case OID.certBag: {
        const [type, certificate] = inside(value);
        if (readObjectIdentifier(type!) !== OID.x509Certificate) break;
        found.certificates.push(new X509Certificate(inside(certificate)[0]!.content));
        break;
      }
    }
  }
}

function privateKey(bytes: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.from(bytes), format: "der", type: "pkcs8" });
}

function nameIn(attributes: Part | undefined): string | undefined {
  for (const attribute of attributes ? inside(attributes) : []) {
    const [kind, values] = inside(attribute);
    if (readObjectIdentifier(kind!) !== OID.friendlyName) continue;
    return Buffer.from(inside(values)[0]!.content).swap16().toString("utf16le");
  }
  return undefined;
}

function decrypt(algorithm: Part, content: Uint8Array, opener: Opener): Uint8Array {
  const { cipher, key, vector } = cipherOf(algorithm, opener);
  const decipher = createDecipheriv(cipher, key, vector);
  try {
    return Buffer.concat([decipher.update(content), decipher.final()]);
  } catch {
    throw new Pkcs12Refused("Not the password");
  }
}

function cipherOf(algorithm: Part, opener: Opener): { cipher: string; key: Buffer; vector: Uint8Array } {
  const [kind, parameters] = inside(algorithm);
  const identifier = readObjectIdentifier(kind!);
  const [first, second] = inside(parameters);
  if (identifier === OID.pbes2) return pbes2(first!, second!, opener);
  const older = OLDER_CIPHERS[identifier];
  if (!older) throw new Pkcs12Unsupported("Not a cipher of PKCS#12 that is known here");
  const [cipher, length] = older;
  const salted = { salt: first!.content, iterations: iterationsOf(second!, opener, 3 * OWN_ITERATION) };
  const key = pkcs12Key("sha1", CIPHER_KEY, opener.password, salted, length);
  return { cipher, key, vector: pkcs12Key("sha1", INITIALIZATION_VECTOR, opener.password, salted, 8) };
}

/** RFC 8018 §6.2 */
function pbes2(
  derivation: Part,
  scheme: Part,
  opener: Opener,
): { cipher: string; key: Buffer; vector: Uint8Array } {
  const [kind, parameters] = inside(derivation);
  const [name, vector] = inside(scheme);
  const known = CIPHERS[readObjectIdentifier(name!)];
  const [salt, count, ...options] = inside(parameters);
  const pseudorandom = options.find(({ tag }) => tag === SEQUENCE);
  const hash = pseudorandom ? FUNCTIONS[readObjectIdentifier(inside(pseudorandom)[0]!)] : "sha1";
  if (readObjectIdentifier(kind!) !== OID.pbkdf2 || !known || !hash)
    throw new Pkcs12Unsupported("Not a cipher of PBES2 that is known here");
  const iterations = iterationsOf(count!, opener, 1);
  const [cipher, length] = known;
  const key = pbkdf2Sync(Buffer.from(opener.password), salt!.content, iterations, length, hash);
  return { cipher, key, vector: vector!.content };
}

/** The key's certificate and those above it, as far as they are there. */
function chainOf(key: KeyObject, certificates: readonly X509Certificate[]): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next = certificates.find((one) => one.checkPrivateKey(key));
  while (next && !chain.includes(next)) {
    const last: X509Certificate = next;
    chain.push(last);
    next = certificates.find((one) => one !== last && last.checkIssued(one));
  }
  return chain;
}

const SEQUENCE = 0x30;

/** What is in a part that is made of parts. */
function inside(part: Part | undefined): Part[] {
  if (!part || (part.tag & 0x20) === 0) throw new RangeError("Not a structure");
  return readParts(part.content);
}

/** The bytes of a content info that is plain. */
function dataOf(info: Part): Uint8Array {
  const [kind, wrapper] = inside(info);
  if (readObjectIdentifier(kind!) !== OID.data)
    throw new Pkcs12Unsupported("Not a content that is known here");
  return inside(wrapper)[0]!.content;
}
