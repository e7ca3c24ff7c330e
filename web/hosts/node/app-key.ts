/**
 * The app-specific key of an application server (W6): RSA, kept as encrypted PKCS#8 (RFC 5958) where the server's
 * configuration says, so that Enc(master) opens after a restart too. Its public half is derived from the private one.
 * Node reads it into a handle that cannot be exported; no code of ours sees a byte of it.
 */

import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { moveWhole, readIfThere, writeWhole } from "#files/index.ts";
import { compareBytes } from "#protocol/byte-order.ts";
import { CofferError } from "#protocol/error.ts";
import type { HostKeys, WrappingPair } from "../../microservice/index.ts";

/** Where the encrypted key is: a file, or a record of the server's datastore beside its ciphertext (W15). PEM. */
export interface AppKeyPlace {
  /** Undefined when there is none yet. */
  read(): Promise<string | undefined>;
  /** Keeps it, or throws when there is one by now. */
  write(pem: string): Promise<void>;
}

/** A place whose key can be replaced (W12): the next one is kept beside it until it is in use. */
export interface RotatingPlace extends AppKeyPlace {
  next: AppKeyPlace;
  /** What is in `next` comes in the place of the key of now: durably, whole or not at all. */
  take(): Promise<void>;
}

/** The file, with the next key in one of that name and `.next`. */
export function appKeyFile(path: string): RotatingPlace {
  const next = `${path}.next`;
  return { ...oneFile(path), next: oneFile(next), take: () => moveWhole(next, path) };
}

function oneFile(path: string): AppKeyPlace {
  return {
    read: () => readIfThere(path),
    write: (pem) => writeWhole(path, pem, { mode: 0o600 }),
  };
}

export type AppKey = WrappingPair & { wrappingKey: CryptoKey };

/** OpenSSL stretches a passphrase by 2,048 rounds alone, so it has to be a secret that nobody can guess. */
const MIN_PASSPHRASE = 32;

/**
 * Reads the key, and makes it at the first start. `passphrase`: at least 32 characters at random, from where the server
 * has its other secrets, and not from where the key is. Errors: `key-file-damaged` for another passphrase, a damaged key,
 * or one that is no RSA key of 3072 bits.
 */
export async function openAppKey(place: AppKeyPlace, passphrase: string): Promise<AppKey> {
  if (passphrase.length < MIN_PASSPHRASE)
    throw new TypeError("a passphrase of at least 32 random characters");
  const kept = await place.read();
  const privateKey = kept === undefined ? await makeKey(place, passphrase) : readKey(kept, passphrase);
  const { asymmetricKeyType, asymmetricKeyDetails } = privateKey;
  if (asymmetricKeyType !== "rsa" || (asymmetricKeyDetails?.modulusLength ?? 0) < 3072)
    throw new CofferError("key-file-damaged");
  const handle = privateKey.toCryptoKey({ name: "RSA-OAEP", hash: "SHA-256" }, false, ["unwrapKey"]);
  return {
    // Node's type knows more usages than the one that there is.
    wrappingKey: handle as CryptoKey,
    wrappingSpki: spkiOf(privateKey),
  };
}

/** What an application server rotates its app-specific key by. */
export interface NextAppKey {
  /** The next key: made and kept at the first call, read again at the next, after a crash too. */
  open(): Promise<HostKeys>;
  /** It is the server's key from now on, and the one before is given up. Error: `conflict` where another process has taken it meanwhile. */
  take(): Promise<void>;
}

/**
 * What a microservice in Node opens its app-specific key by, and rotates it by (W12). The next key stands in the place's `next` before
 * anybody hears of it, and takes the place of the one of now only once it is in use; so a process that ends at any moment leaves one that
 * opens. `passphrase` and errors as of `openAppKey`.
 *
 * @example
 * const client = await connect({ app, vault, rootKey, client, instance: keepAppKey(appKeyFile("key.pem"), passphrase) });
 * await client.life.rotateAppKey();
 */
export function keepAppKey(
  place: RotatingPlace,
  passphrase: string,
): { appKey: () => Promise<AppKey>; nextAppKey: NextAppKey } {
  let opened: AppKey | undefined;
  return {
    appKey: () => openAppKey(place, passphrase),
    nextAppKey: {
      open: async () => {
        opened = await openAppKey(place.next, passphrase);
        return opened;
      },
      async take() {
        // Another process may have taken that one and begun the next.
        const kept = await place.next.read();
        const spki = kept === undefined ? undefined : spkiOf(readKey(kept, passphrase));
        if (!opened || !spki || compareBytes(spki, opened.wrappingSpki) !== 0)
          throw new CofferError("conflict");
        await place.take();
      },
    },
  };
}

function spkiOf(privateKey: KeyObject): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createPublicKey(privateKey).export({ type: "spki", format: "der" }));
}

async function makeKey(place: AppKeyPlace, passphrase: string): Promise<KeyObject> {
  const { privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength: 3072 });
  const form = { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase } as const;
  await place.write(privateKey.export(form).toString());
  return privateKey;
}

function readKey(pem: string, passphrase: string): KeyObject {
  // A key that lies there in the clear is not one of ours: somebody has put it there.
  if (!pem.includes("BEGIN ENCRYPTED PRIVATE KEY")) throw new CofferError("key-file-damaged");
  try {
    return createPrivateKey({ key: pem, passphrase });
  } catch (cause) {
    throw new CofferError("key-file-damaged", { cause });
  }
}
