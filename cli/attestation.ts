/** A development deployment's platform and verifier: an emulated enclave platform, whose evidence of the built microservice is taken. */

import { createHash, generateKeyPairSync, randomBytes, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { makePlatform, type Platform, type PlatformKey } from "#emulator/enclave/index.ts";
import { writeWhole } from "#files/index.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { EMULATED_EVIDENCE, isMeasuredInVault, type ReleaseFiles } from "#protocol/evidence/index.ts";
import { parseJson } from "#protocol/json.ts";
import { PASSKEY_EVIDENCE } from "#protocol/passkey.ts";
import { MANIFEST } from "#web/pin.ts";
import { CommandError } from "./command-error.ts";

const FILE = "enclave.json";

/** `secret`: assigned to the platform beside its key, base64url; none of an earlier release. */
type Kept = { platform: Platform; verifier: JsonWebKey; secret?: string };
/** The name by which the verifier knows the platform's secret. */
const PLATFORM = "development";

/** The microservice of a Node process, as it was built for this deployment. */
export function nodeMicroservice(dir: string): Promise<Buffer> {
  return readFile(join(dir, "web/node/microservice.js"));
}

/** The platform's keys, for who launches a microservice in its enclave. */
export async function developmentPlatform(dir: string): Promise<Platform & { assigned?: PlatformKey }> {
  const text = await readFile(join(dir, FILE), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    throw new CommandError(`Nothing was started in ${dir} yet, so that there is no enclave's platform.`);
  });
  const { platform, secret } = parseJson(text) as Kept;
  return { ...platform, ...(secret && { assigned: { name: PLATFORM, secret: decodeBase64url(secret) } }) };
}

/** Variables of the edge by which its verifier takes evidence of that platform, for the code that was built and no other. */
export async function developmentAttestation(dir: string): Promise<Record<string, string>> {
  const { platform, verifier, secret = "" } = await keep(dir);
  const { d: _, ...publicKey } = verifier;
  const code = createHash("sha384")
    .update(await nodeMicroservice(dir))
    .digest("hex");
  const manifest = parseJson(await readFile(join(dir, "web", MANIFEST), "utf8")) as ReleaseFiles;
  const inVault = manifest.filter(({ path }) => isMeasuredInVault(path)).map(({ sha384 }) => sha384);
  const spki = new X509Certificate(platform.certificate).publicKey.export({ type: "spki", format: "der" });
  const policy = {
    id: "urn:coffer:development",
    accept: [
      { type: EMULATED_EVIDENCE.eat, roots: [encodeBase64url(new X509Certificate(platform.root).raw)] },
      { type: EMULATED_EVIDENCE.signed, keys: [encodeBase64url(spki)] },
      { type: EMULATED_EVIDENCE.encrypted, platforms: [PLATFORM] },
      // Of any authenticator: what none vouches for makes an instance that counts as `software`.
      { type: PASSKEY_EVIDENCE },
    ],
    references: [code, ...inVault].map((one) => ({ release: 1, measurements: { code: one } })),
  };
  return {
    COFFER_ATTESTATION: JSON.stringify({ "*": policy }),
    COFFER_VERIFIER_KEY: JSON.stringify(verifier),
    COFFER_PLATFORM_KEYS: JSON.stringify({ [PLATFORM]: secret }),
    COFFER_VERIFIER_PUBLIC_KEY: JSON.stringify(publicKey),
  };
}

/** Made at the first start. */
async function keep(dir: string): Promise<Kept> {
  const path = join(dir, FILE);
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  const secret = encodeBase64url(randomBytes(32));
  if (text !== undefined) {
    const kept = parseJson(text) as Kept;
    if (kept.secret !== undefined) return kept;
    // Of an earlier release.
    const completed = { ...kept, secret };
    await writeWhole(path, `${JSON.stringify(completed)}\n`, { replace: true, mode: 0o600 });
    return completed;
  }
  const { kty, crv, x, y, d } = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
    format: "jwk",
  });
  const kept = { platform: await makePlatform(new Date()), verifier: { kty, crv, x, y, d }, secret } as Kept;
  await writeWhole(path, `${JSON.stringify(kept)}\n`, { mode: 0o600 });
  return kept;
}
