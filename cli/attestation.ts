/** A development deployment's platform and verifier: an emulated enclave platform, whose evidence of the built microservice is taken. */

import { createHash, generateKeyPairSync, randomBytes, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  keepNitroAuthority,
  keptNitroAuthority,
  makeNitroAuthority,
  makePlatform,
  PLATFORM_VERSION as minVersion,
  type NitroAuthority,
  type NitroAuthorityKept,
  OLDER_RELEASE,
  type Platform,
  type PlatformKey,
  registersOf,
  revokedKeyOf,
} from "#emulator/enclave/index.ts";
import { writeWhole } from "#files/index.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { EMULATED_EVIDENCE, isMeasuredInVault, type ReleaseFiles } from "#protocol/evidence/index.ts";
import { parseJson } from "#protocol/json.ts";
import { PASSKEY_EVIDENCE } from "#protocol/passkey.ts";
import { MANIFEST } from "#web/pin.ts";
import { CommandError } from "./command-error.ts";

const FILE = "enclave.json";

/** `secret`: assigned to the platform beside its key, base64url; `nitro`: whose root vouches for enclaves like AWS's. Of an earlier release either may be missing. */
type Kept = { platform: Platform; verifier: JsonWebKey; secret?: string; nitro?: NitroAuthorityKept };
/** The name by which the verifier knows the platform's secret. */
const PLATFORM = "development";

/** The microservice of a Node process, as it was built for this deployment. */
export function nodeMicroservice(dir: string): Promise<Buffer> {
  return readFile(join(dir, "web/node/microservice.js"));
}

/** The platform's keys, for who launches a microservice in its enclave. */
export async function developmentPlatform(
  dir: string,
): Promise<Platform & { assigned?: PlatformKey; nitro?: NitroAuthority }> {
  const text = await readFile(join(dir, FILE), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    throw new CommandError(`Nothing was started in ${dir} yet, so that there is no enclave's platform.`);
  });
  const { platform, secret, nitro } = parseJson(text) as Kept;
  return {
    ...platform,
    ...(secret && { assigned: { name: PLATFORM, secret: decodeBase64url(secret) } }),
    ...(nitro && { nitro: await keptNitroAuthority(nitro) }),
  };
}

/** Variables of the edge by which its verifier takes evidence of that platform, for the code that was built and no other. */
export async function developmentAttestation(dir: string): Promise<Record<string, string>> {
  const { platform, verifier, secret, nitro } = await keep(dir);
  const { d: _, ...publicKey } = verifier;
  const built = await nodeMicroservice(dir);
  const code = createHash("sha384").update(built).digest("hex");
  const manifest = parseJson(await readFile(join(dir, "web", MANIFEST), "utf8")) as ReleaseFiles;
  const inVault = manifest.filter(({ path }) => isMeasuredInVault(path)).map(({ sha384 }) => sha384);
  const spki = new X509Certificate(platform.certificate).publicKey.export({ type: "spki", format: "der" });
  const roots = [encodeBase64url(new X509Certificate(platform.root).raw)];
  const policy = {
    id: "urn:coffer:development",
    accept: [
      { type: EMULATED_EVIDENCE.eat, roots, minVersion, revoked: [revokedKeyOf(platform)] },
      { type: EMULATED_EVIDENCE.nitro, roots: [nitro.root] },
      { type: EMULATED_EVIDENCE.signed, keys: [encodeBase64url(spki)], minVersion },
      { type: EMULATED_EVIDENCE.encrypted, platforms: [PLATFORM], minVersion },
      // Of any authenticator: what none vouches for makes an instance that counts as `software`.
      { type: PASSKEY_EVIDENCE },
    ],
    // What the emulator calls an older release is refused as such.
    floor: 2,
    references: [
      { release: 1, measurements: { code: OLDER_RELEASE } },
      ...[code, ...inVault].map((one) => ({ release: 2, measurements: { code: one } })),
      { release: 2, measurements: registersOf(built) },
    ],
  };
  return {
    COFFER_ATTESTATION: JSON.stringify({ "*": policy }),
    COFFER_VERIFIER_KEY: JSON.stringify(verifier),
    COFFER_PLATFORM_KEYS: JSON.stringify({ [PLATFORM]: secret }),
    COFFER_VERIFIER_PUBLIC_KEY: JSON.stringify(publicKey),
  };
}

/** Made at the first start. */
async function keep(dir: string): Promise<Required<Kept>> {
  const path = join(dir, FILE);
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  const kept: Partial<Kept> = text === undefined ? {} : (parseJson(text) as Kept);
  const { platform, verifier, secret, nitro } = kept;
  if (platform?.faulty && verifier && secret && nitro) return { platform, verifier, secret, nitro };
  // Of an earlier release, or of none.
  const completed = {
    platform: platform?.faulty ? platform : await makePlatform(new Date()),
    verifier: verifier ?? newVerifierKey(),
    secret: secret ?? encodeBase64url(randomBytes(32)),
    nitro: nitro ?? (await keepNitroAuthority(await makeNitroAuthority(new Date()))),
  };
  await writeWhole(path, `${JSON.stringify(completed)}\n`, { replace: text !== undefined, mode: 0o600 });
  return completed;
}

function newVerifierKey(): JsonWebKey {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { kty, crv, x, y, d } = privateKey.export({ format: "jwk" });
  return { kty, crv, x, y, d } as JsonWebKey;
}
