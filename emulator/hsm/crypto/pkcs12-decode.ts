import {
  createDecipheriv,
  createHmac,
  createPrivateKey,
  type KeyObject,
  pbkdf2Sync,
  timingSafeEqual,
  X509Certificate,
} from "node:crypto";
import {
  CONTEXT,
  DerReader,
  INTEGER,
  OBJECT_IDENTIFIER,
  OCTET_STRING,
  SEQUENCE,
  SET,
} from "#protocol/pki/der.ts";
import { readInteger, readObjectIdentifier } from "./der.ts";
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
const MAX_ENTRIES = 64;

interface Opener {
  password: string;
  /** Iterations that are left. */
  left: number;
}

/** Takes them from those that are left. */
function charged(iterations: number, opener: Opener, cost: number): number {
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
  const outer = readerOf(bytes);
  const pfx = outer.enter(SEQUENCE);
  outer.end();
  if (readInteger(pfx) !== 3) throw new RangeError("Not version 3");
  const content = contentOf(pfx.enter(SEQUENCE));
  const opener = { password, left: MAX_ITERATIONS };
  if (!pfx.done) verify(pfx.enter(SEQUENCE), content, opener);
  const found: Found = { keys: [], certificates: [] };
  const safes = readerOf(content).enter(SEQUENCE);
  while (!safes.done) gather(contentOf(safes.enter(SEQUENCE), opener), opener, found);
  const chosen = found.keys.length === 1 ? found.keys[0] : found.keys.find((one) => one.name === name);
  if (!chosen) throw new RangeError("No key, or several");
  return {
    key: chosen.key,
    friendlyName: chosen.name,
    certificates: chainOf(chosen.key, found.certificates),
  };
}

function verify(mac: DerReader, content: Uint8Array, opener: Opener): void {
  const info = mac.enter(SEQUENCE);
  const hash = HASHES[readObjectIdentifier(info.enter(SEQUENCE))];
  if (!hash) throw new Pkcs12Unsupported("Not a hash of PKCS#12");
  const digest = info.read(OCTET_STRING).contents;
  const salt = mac.read(OCTET_STRING).contents;
  const iterations = charged(mac.done ? 1 : readInteger(mac), opener, OWN_ITERATION);
  const key = pkcs12Key(hash, MAC_KEY, opener.password, { salt, iterations }, digest.length);
  const expected = createHmac(hash, key).update(content).digest();
  if (expected.length !== digest.length || !timingSafeEqual(expected, digest))
    throw new Pkcs12Refused("Not the password");
}

/** The bytes of a content info: as they are there, or decrypted. */
function contentOf(info: DerReader, opener?: Opener): Uint8Array {
  const kind = readObjectIdentifier(info);
  const content = info.enter(CONTEXT);
  if (kind === OID.data) return content.read(OCTET_STRING).contents;
  if (kind !== OID.encryptedData || !opener) throw new Pkcs12Unsupported("Not a content that is known here");
  const data = content.enter(SEQUENCE);
  data.read(INTEGER);
  const encrypted = data.enter(SEQUENCE);
  encrypted.read(OBJECT_IDENTIFIER);
  return decrypt(encrypted.enter(SEQUENCE), encrypted.read().contents, opener);
}

function gather(bytes: Uint8Array, opener: Opener, found: Found): void {
  const bags = readerOf(bytes).enter(SEQUENCE);
  while (!bags.done) {
    if (found.keys.length + found.certificates.length >= MAX_ENTRIES)
      throw new Pkcs12Unsupported(`There are ${MAX_ENTRIES} keys and certificates at most`);
    const bag = bags.enter(SEQUENCE);
    const kind = readObjectIdentifier(bag);
    const value = bag.enter(CONTEXT);
    switch (kind) {
      case OID.keyBag:
        found.keys.push({ key: privateKey(value.read().bytes), name: nameIn(bag) });
        break;
      case OID.shroudedKeyBag: {
        const shrouded = value.enter(SEQUENCE);
        const algorithm = shrouded.enter(SEQUENCE);
        const key = privateKey(decrypt(algorithm, shrouded.read(OCTET_STRING).contents, opener));
        found.keys.push({ key, name: nameIn(bag) });
        break;
      }
      case OID.certBag: {
        const certificate = value.enter(SEQUENCE);
        if (readObjectIdentifier(certificate) !== OID.x509Certificate) break;
        const der = certificate.enter(CONTEXT).read(OCTET_STRING).contents;
        found.certificates.push(new X509Certificate(der));
        break;
      }
    }
  }
}

function privateKey(bytes: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.from(bytes), format: "der", type: "pkcs8" });
}

/** The friendly name among the attributes that end a bag. */
function nameIn(bag: DerReader): string | undefined {
  const attributes = bag.done ? bag : bag.enter(SET);
  while (!attributes.done) {
    const attribute = attributes.enter(SEQUENCE);
    if (readObjectIdentifier(attribute) !== OID.friendlyName) continue;
    return Buffer.from(attribute.enter(SET).read().contents).swap16().toString("utf16le");
  }
  return undefined;
}

function decrypt(algorithm: DerReader, content: Uint8Array, opener: Opener): Uint8Array {
  const { cipher, key, vector } = cipherOf(algorithm, opener);
  const decipher = createDecipheriv(cipher, key, vector);
  try {
    return Buffer.concat([decipher.update(content), decipher.final()]);
  } catch {
    throw new Pkcs12Refused("Not the password");
  }
}

interface Cipher {
  cipher: string;
  key: Buffer;
  vector: Uint8Array;
}

function cipherOf(algorithm: DerReader, opener: Opener): Cipher {
  const identifier = readObjectIdentifier(algorithm);
  const parameters = algorithm.enter(SEQUENCE);
  if (identifier === OID.pbes2) return pbes2(parameters.enter(SEQUENCE), parameters.enter(SEQUENCE), opener);
  const older = OLDER_CIPHERS[identifier];
  if (!older) throw new Pkcs12Unsupported("Not a cipher of PKCS#12 that is known here");
  const [cipher, length] = older;
  const salt = parameters.read(OCTET_STRING).contents;
  const salted = { salt, iterations: charged(readInteger(parameters), opener, 3 * OWN_ITERATION) };
  const key = pkcs12Key("sha1", CIPHER_KEY, opener.password, salted, length);
  return { cipher, key, vector: pkcs12Key("sha1", INITIALIZATION_VECTOR, opener.password, salted, 8) };
}

/** RFC 8018 §6.2 */
function pbes2(derivation: DerReader, scheme: DerReader, opener: Opener): Cipher {
  const known = CIPHERS[readObjectIdentifier(scheme)];
  if (readObjectIdentifier(derivation) !== OID.pbkdf2 || !known)
    throw new Pkcs12Unsupported("Not a cipher of PBES2 that is known here");
  const parameters = derivation.enter(SEQUENCE);
  const salt = parameters.read(OCTET_STRING).contents;
  const count = readInteger(parameters);
  // The key's length, which the cipher says too.
  if (parameters.tag === INTEGER) parameters.read();
  const hash = parameters.done ? "sha1" : FUNCTIONS[readObjectIdentifier(parameters.enter(SEQUENCE))];
  if (!hash) throw new Pkcs12Unsupported("Not a function of PBKDF2 that is known here");
  const [cipher, length] = known;
  const key = pbkdf2Sync(Buffer.from(opener.password), salt, charged(count, opener, 1), length, hash);
  return { cipher, key, vector: scheme.read(OCTET_STRING).contents };
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

/** A PKCS#12 may be BER (RFC 7292 §4); what has no length before it is not read here. */
function readerOf(bytes: Uint8Array): DerReader {
  return new DerReader(bytes, "any");
}
