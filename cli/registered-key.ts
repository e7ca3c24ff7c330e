/** The key pair of an application server that is a client of its own: its private half in a file, its public half for the admin who registers it. */

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { writeWhole } from "#files/index.ts";
import { type EcPublicJwk, ecPublicJwk } from "#protocol/jwk.ts";
import { fits } from "#protocol/shape.ts";
import type { DpopKey } from "#web/client/dpop.ts";
import { CommandError } from "./command-error.ts";
import { readNamed } from "./input.ts";

/** Makes a P-256 key, in PEM (PKCS#8) under `passphrase` where there is one. Answers its public half. Error: `CommandError` where there is such a file. */
export async function makeRegisteredKey(path: string, passphrase?: string): Promise<EcPublicJwk> {
  const { pem, jwk } = newRegisteredKey(passphrase);
  await writeWhole(path, pem, { mode: 0o600 });
  return jwk;
}

/** The same, in no file. */
export function newRegisteredKey(passphrase?: string): { pem: string; jwk: EcPublicJwk } {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const form = { type: "pkcs8", format: "pem" } as const;
  const sealed = passphrase === undefined ? form : { ...form, cipher: "aes-256-cbc", passphrase };
  return { pem: privateKey.export(sealed).toString(), jwk: publicHalf(privateKey) };
}

/** Reads it into a handle that cannot be exported. Throws `CommandError` for what is no such key, or another passphrase. */
export async function readRegisteredKey(path: string, passphrase?: string): Promise<DpopKey> {
  const pem = await readFile(path, "utf8").catch(() => {
    throw new CommandError(`${path} cannot be read.`);
  });
  return registeredKeyFrom(pem, path, passphrase);
}

/** The same of a PEM text. `named`: where that is from, for the sentence, which has nothing of the text itself. */
export function registeredKeyFrom(pem: string, named: string, passphrase?: string): DpopKey {
  try {
    const key = createPrivateKey({ key: pem, ...(passphrase !== undefined && { passphrase }) });
    const jwk = publicHalf(key);
    const handle = key.toCryptoKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
    return { privateKey: handle as CryptoKey, jwk };
  } catch {
    throw new CommandError(`${named} holds no private key of P-256 in PEM, or another passphrase opens it.`);
  }
}

/** Reads a public key, a JWK or PEM, from the file that `option` names. Throws `CommandError` for anything else, and for a private key, which nobody is given. */
export async function readPublicKey(option: string, path: string): Promise<EcPublicJwk> {
  const text = await readNamed(path, { option });
  if (/PRIVATE KEY|"d"\s*:/.test(text))
    throw new CommandError(
      `${option}: ${path} has the private half. Give the public one, and show that to nobody.`,
    );
  try {
    const key = text.includes("-----BEGIN")
      ? createPublicKey(text)
      : createPublicKey({ key: JSON.parse(text), format: "jwk" });
    return publicHalf(key);
  } catch {
    throw new CommandError(`${option}: ${path} holds no public key of P-256, as a JWK or in PEM.`);
  }
}

function publicHalf(key: KeyObject): EcPublicJwk {
  const half = key.type === "public" ? key : createPublicKey(key);
  const { kty, crv, x, y } = half.export({ format: "jwk" });
  const jwk: unknown = { kty, crv, x, y };
  if (!fits(ecPublicJwk, jwk)) throw new TypeError("not a key of P-256");
  return jwk;
}
