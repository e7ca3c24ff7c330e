import { createHash, createHmac, diffieHellman, type KeyObject, pbkdf2 } from "node:crypto";
import { promisify } from "node:util";
import { type DerivationParameters, KmipError } from "#protocol/kmip/index.ts";
import { startEncryption } from "./cipher.ts";
import { hashName } from "./mac.ts";

/** Derivation of keys (KMIP 2.1 §6.1.14 Derive Key, §11.14 Derivation Method). Every function gives at least `length` bytes, or what there is. */

export interface DerivationInput {
  /** The key, and the algorithm that it is for. */
  key: Uint8Array;
  algorithm: unknown;
  parameters: DerivationParameters;
  /** Length in bytes of what is wanted. */
  length: number;
}

/** Maximum rounds of PBKDF2, over all blocks of its output. */
const MAX_ROUNDS = 10_000_000;

/** Rounds of PBKDF2 in a unit of work (`HeavyWork`). */
const ROUNDS_OF_A_UNIT = 2;

/** Bytes that one PRF of a derivation may hash; HKDF has two. More than that is no key with its context, but work. */
const MAX_HASHED = 4 * 1024 * 1024;

/** Bytes hashed in a unit of work. */
const HASHED_OF_A_UNIT = 200;

/** How work whose length the client chooses is done: charged where it stands, or charged and done off the event loop. */
export interface Metering {
  /** Takes units (`HeavyWork`) from the message's budget. */
  spend: (units: number) => void;
  /** Does what costs so many units off the event loop, when its turn comes. */
  heavy: <T>(units: number, job: () => Promise<T>) => Promise<T>;
}

type Derivation = (input: DerivationInput, metering: Metering) => Uint8Array | Promise<Uint8Array>;

const derivePbkdf2 = promisify(pbkdf2);

export const DERIVATIONS: Readonly<Record<string, Derivation>> = {
  /** RFC 8018 §5.2, HMAC-SHA-1 where nothing else is said. */
  PBKDF2({ key, parameters, length }, { heavy }) {
    const { salt, iterationCount } = parameters;
    if (!salt || iterationCount === undefined)
      throw new KmipError("MissingData", "PBKDF2 needs salt and iteration count");
    const hash = hashOf(parameters, "SHA_1");
    const blocks = Math.ceil(length / digestLength(hash));
    if (iterationCount < 1 || iterationCount * blocks > MAX_ROUNDS)
      throw new KmipError("InvalidField", "Not an iteration count");
    const units = Math.ceil((iterationCount * blocks) / ROUNDS_OF_A_UNIT);
    return heavy(units, () => derivePbkdf2(key, salt, iterationCount, length, hash));
  },

  /** The hash of the derivation data, or of the key where there are none. */
  HASH({ key, parameters }) {
    return createHash(hashOf(parameters))
      .update(parameters.derivationData ?? key)
      .digest();
  },

  HMAC({ key, parameters }) {
    return createHmac(hashOf(parameters), key).update(data(parameters)).digest();
  },

  ENCRYPT({ key, algorithm, parameters }) {
    // Of known data a pad would make itself.
    if (algorithm === "OneTimePad")
      throw new KmipError("UnsupportedCryptographicParameters", "A one-time pad derives nothing");
    const { cryptographicParameters = {}, initializationVector } = parameters;
    const cipher = startEncryption(
      { algorithm, key, parameters: cryptographicParameters, iv: initializationVector },
      () => {
        throw new KmipError("MissingData", "The initialization vector is missing");
      },
    );
    return Buffer.concat([cipher.update(data(parameters)), cipher.final()]);
  },

  /** RFC 5869: salt, and the derivation data as info. It gives 255 blocks at most (§2.3). */
  HKDF({ key, parameters, length }, { spend }) {
    const none = new Uint8Array();
    const { salt = none, derivationData = none } = parameters;
    const hash = hashOf(parameters);
    if (length > 255 * digestLength(hash))
      throw new KmipError("CryptographicFailure", "The method gives less than that");
    // Node's own takes no more than 1024 bytes of info.
    const expand = prfOf(hash, prfOf(hash, salt, spend)(key), spend);
    let last: Uint8Array = none;
    const blocks = blocksOf(length, (number) => {
      last = expand(last, derivationData, Uint8Array.of(number));
      return last;
    });
    return blocks.subarray(0, length);
  },

  /** NIST SP 800-108 §4.1: counter of 32 bits before the fixed input. */
  NIST800_108_C(input, metering) {
    return expanded(input, metering, (prf, counter) => prf(counter, data(input.parameters)));
  },

  /** NIST SP 800-108 §4.2: feedback, from the initialization vector. */
  NIST800_108_F(input, metering) {
    let last: Uint8Array = input.parameters.initializationVector ?? new Uint8Array();
    return expanded(input, metering, (prf, counter) => {
      last = prf(last, counter, data(input.parameters));
      return last;
    });
  },

  /** NIST SP 800-108 §4.3: double pipeline. */
  NIST800_108_DPI(input, metering) {
    let last = data(input.parameters);
    return expanded(input, metering, (prf, counter) => {
      last = prf(last);
      return prf(last, counter, data(input.parameters));
    });
  },
};

/**
 * Diffie-Hellman on elliptic curves: the x coordinate of the shared point (SEC 1 §3.3.1), or RFC 7748 §6. Curves have
 * names; a public key that makes all secrets zero is refused.
 */
export function agreedSecret(privateKey: KeyObject, publicKey: KeyObject): Uint8Array {
  const [type, curve] = [privateKey.asymmetricKeyType, privateKey.asymmetricKeyDetails?.namedCurve];
  const agrees = type === "ec" ? curve !== undefined : type === "x25519" || type === "x448";
  const same = publicKey.asymmetricKeyType === type && publicKey.asymmetricKeyDetails?.namedCurve === curve;
  if (!agrees || !same) throw new KmipError("CryptographicFailure", "The keys do not agree on a secret");
  try {
    return diffieHellman({ privateKey, publicKey });
  } catch {
    throw new KmipError("CryptographicFailure", "The keys do not agree on a secret");
  }
}

type Prf = (...parts: Uint8Array[]) => Uint8Array;

/** The blocks of a method of SP 800-108, each with its number in 32 bits. */
function expanded(
  { key, parameters, length }: DerivationInput,
  { spend }: Metering,
  block: (prf: Prf, counter: Uint8Array) => Uint8Array,
): Uint8Array {
  const prf = prfOf(hashOf(parameters), key, spend);
  return blocksOf(length, (number) => {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(number);
    return block(prf, counter);
  });
}

/** Blocks, numbered from 1, until there are `length` bytes. */
function blocksOf(length: number, block: (number: number) => Uint8Array): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (let made = 0; made < length; ) {
    const next = block(blocks.length + 1);
    blocks.push(next);
    made += next.length;
  }
  return Buffer.concat(blocks);
}

/** HMAC by this key, each time charged for what it hashes. Throws `InvalidField` once that is more than a PRF may. */
function prfOf(hash: string, key: Uint8Array, spend: Metering["spend"]): Prf {
  let left = MAX_HASHED;
  return (...parts) => {
    const bytes = parts.reduce((sum, part) => sum + part.length, key.length);
    left -= bytes;
    if (left < 0)
      throw new KmipError("InvalidField", "Key and derivation data are too long for that many bits");
    spend(Math.ceil(bytes / HASHED_OF_A_UNIT));
    const hmac = createHmac(hash, key);
    for (const part of parts) hmac.update(part);
    return hmac.digest();
  };
}

function digestLength(hash: string): number {
  return createHash(hash).digest().length;
}

function data({ derivationData }: DerivationParameters): Uint8Array {
  if (!derivationData) throw new KmipError("MissingData", "The derivation data are missing");
  return derivationData;
}

function hashOf({ cryptographicParameters = {} }: DerivationParameters, otherwise = "SHA_256"): string {
  const { hashingAlgorithm, cryptographicAlgorithm } = cryptographicParameters;
  const [, ofHmac] = /^HMAC_(.+)$/.exec(String(cryptographicAlgorithm)) ?? [];
  return hashName(hashingAlgorithm ?? ofHmac?.replace(/^SHA(\d)/, "SHA_$1") ?? otherwise);
}
