/**
 * What a release is made of, signed by who releases it (ES256): reference values for appraisal (M21). Each file with its length and
 * digest, so that anyone can hold what is served against it.
 */
import { utf8 } from "../bytes.ts";
import { type EcPublicJwk, joinJws, signingInput, thumbprint, verifyJws } from "../keys/index.ts";
import { checked, list, type Of, object, text, whole } from "../shape.ts";

import type { VerifierKey } from "./result.ts";

const TYPE = "coffer-release+jwt";
const files = list(
  object({ path: text(1, 256, /^[\w./-]*$/), bytes: whole(0), sha384: text(96, 96, /^[0-9a-f]*$/) }),
  1,
  256,
);
const release = object({ release: whole(1), files });

/** `release`: its number, which only grows. `path`: as the build writes it; `sha384`: lower-case hex. */
export type Release = Of<typeof release>;
export type ReleaseFiles = Of<typeof files>;

/** The file that a Node process runs, and that an enclave measures. */
export const MEASURED = "node/microservice.js";

/** Whether it is the file that the vault's loader measures and starts. */
export function isMeasuredInVault(path: string): boolean {
  return /^vault\/microservice\.[\w.-]+$/.test(path);
}

/** Signs a release by a P-256 key. Throws `JwsError` where it is too long. */
export async function signRelease(
  of: Release,
  { publicKey, sign }: Pick<VerifierKey, "publicKey" | "sign">,
): Promise<string> {
  const input = signingInput({ typ: TYPE, kid: await thumbprint(publicKey) }, checked(release, of));
  return joinJws(input, await sign(utf8(input)));
}

/** A release by this key. Throws an `Error` with the reason. */
export async function verifyRelease(token: string, publicKey: EcPublicJwk): Promise<Release> {
  const kid = await thumbprint(publicKey);
  const payload = await verifyJws(token, TYPE, (named) => (named === kid ? publicKey : null));
  const said = checked(release, payload);
  if (new Set(said.files.map(({ path }) => path)).size !== said.files.length)
    throw new TypeError("a file is named twice");
  return said;
}
