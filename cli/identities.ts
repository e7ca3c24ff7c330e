/** The domains' identities at the HSM: a key for each and a request that the HSM's client authority certifies. */
import "reflect-metadata";
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import { makeFolder, writeWhole } from "#files/index.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";

const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** Domains with an identity of their own; the officer has one already. */
export const DOMAINS = (Object.keys(IDENTITY) as (keyof typeof IDENTITY)[]).filter(
  (domain) => domain !== "officer",
);
export type IdentifiedDomain = Exclude<keyof typeof IDENTITY, "officer">;

export function identityFiles(dir: string, domain: string) {
  const file = (ending: string) => join(dir, `${domain}.${ending}`);
  return { key: file("key"), request: file("csr"), certificate: file("pem") };
}

export function hasIdentity(dir: string, domain: string): boolean {
  const { key, request } = identityFiles(dir, domain);
  return existsSync(key) && existsSync(request);
}

/** Makes what is missing of a domain's key and request, PEM, the key readable by its owner alone. Replaces nothing. */
export async function makeIdentity(dir: string, domain: IdentifiedDomain): Promise<void> {
  makeFolder(dir);
  const files = identityFiles(dir, domain);
  if (!existsSync(files.key)) {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    await writeWhole(files.key, privateKey.export({ format: "pem", type: "pkcs8" }));
  }
  const request = await x509.Pkcs10CertificateRequestGenerator.create(
    { name: `CN=${IDENTITY[domain]}`, keys: await readKeys(files.key), signingAlgorithm: P256 },
    crypto,
  );
  await writeWhole(files.request, `${request.toString("pem")}\n`, { mode: 0o644 });
}

async function readKeys(path: string): Promise<CryptoKeyPair> {
  const key = createPrivateKey(await readFile(path));
  const pkcs8 = key.export({ format: "der", type: "pkcs8" });
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  return {
    privateKey: await crypto.subtle.importKey("pkcs8", new Uint8Array(pkcs8), P256, false, ["sign"]),
    publicKey: await crypto.subtle.importKey("spki", new Uint8Array(spki), P256, true, ["verify"]),
  };
}
