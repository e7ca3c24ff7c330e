/**
 * Appraisal policies as data (COFFER_ATTESTATION): which evidence a tenant takes, under which roots, of which releases. One
 * that is not as it should be means that no evidence is taken.
 */

import { decodeBase64url } from "#protocol/base64url.ts";
import {
  AWS_NITRO_ROOT_G1,
  isMeasuredInVault,
  isPlatformVersion,
  MEASURED,
  tierOf,
  verifyRelease,
} from "#protocol/evidence/index.ts";
import { parseJson } from "#protocol/json.ts";
import {
  base64url,
  boolean,
  checked,
  compactJws,
  line,
  list,
  literal,
  type Of,
  object,
  record,
  text,
  whole,
} from "#protocol/shape.ts";

const bytes = text(1, 4096, /^[\w-]*$/);
const publicJwk = object({ kty: literal("EC"), crv: literal("P-256"), x: base64url(32), y: base64url(32) });
const policy = object(
  {
    id: line(128),
    accept: list(
      object(
        {
          /** Media type of the evidence. */
          type: line(256),
        },
        {
          /** Certificates of those who vouch for platforms, DER, base64url; `aws-nitro-g1` is AWS's. */
          roots: list(bytes, 0, 8),
          /** Attestation keys that were registered, SubjectPublicKeyInfo, base64url. */
          keys: list(bytes, 0, 64),
          /** Names of secret keys (COFFER_PLATFORM_KEYS) that were assigned to this tenant's platforms. */
          platforms: list(line(128), 0, 64),
          /** SHA-256 of keys of platforms that vouch for nothing any more, lower-case hex. */
          revoked: list(text(64, 64, /^[0-9a-f]*$/), 0, 64),
          /** The oldest version of a platform that is taken. Evidence that tells none, as that of AWS, is then refused. */
          minVersion: text(1, 39),
          /** Whether debug mode will do. */
          debug: boolean,
        },
      ),
      1,
      8,
    ),
    /** What may run: all registers of one entry have to hold. `release`: its number, for the floor. */
    references: list(object({ release: whole(1), measurements: record(32, 128) }), 0, 64),
  },
  {
    /** Releases below it are refused, whatever is listed. */
    floor: whole(1),
    /** Signed releases (`coffer release`), whose microservice may run too, and the key that signs them. */
    releases: object({ key: publicJwk, signed: list(compactJws(8192), 0, 16) }),
  },
);

export type Policy = Of<typeof policy>;
export type Accepted = Policy["accept"][number];

/** Policies by tenant, and `*` for all others. Throws for text that says something else. */
export function parseAttestation(text: string): ReadonlyMap<string, Policy> {
  if (text === "") return new Map();
  const table = parseJson(text);
  if (typeof table !== "object" || table === null || Array.isArray(table)) throw new TypeError("not a table");
  const policies = Object.entries(table).map(([tenant, value]) => [tenant, checked(policy, value)] as const);
  for (const [, { accept, references }] of policies) {
    for (const { type, minVersion } of accept) {
      if (tierOf(type) === undefined) throw new TypeError(`${type} is no evidence`);
      if (minVersion !== undefined && !isPlatformVersion(minVersion))
        throw new TypeError("minVersion is no version");
    }
    // An entry that asks for nothing would take anything.
    for (const { measurements } of references)
      if (!/^[0-9a-f]+$/.test(measurements.code ?? "")) throw new TypeError("a release without its code");
  }
  return new Map(policies);
}

let kept: { text: string; policies: ReadonlyMap<string, Policy> } | undefined;

/** A tenant's policy; undefined where no evidence is taken. */
export function policyOf(configured: string | undefined, tenant: string): Policy | undefined {
  const text = configured ?? "";
  if (kept?.text !== text) kept = { text, policies: readOrTell(text) };
  return kept.policies.get(tenant) ?? kept.policies.get("*");
}

function readOrTell(text: string): ReadonlyMap<string, Policy> {
  try {
    return parseAttestation(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message.slice(0, 200) : "unknown";
    console.error(JSON.stringify({ event: "configuration", variable: "COFFER_ATTESTATION", reason }));
    return new Map();
  }
}

export function rootsOf({ roots = [] }: Accepted): Uint8Array[] {
  return roots.map((root) => (root === "aws-nitro-g1" ? AWS_NITRO_ROOT_G1 : decodeBase64url(root)));
}

/** What may run: what the policy lists, and the microservices of releases that its key has signed. Throws for one that does not hold. */
export async function referencesOf({ references, releases }: Policy): Promise<Policy["references"]> {
  if (releases === undefined) return references;
  const { key, signed } = releases;
  const named = await Promise.all(
    signed.map(async (token) => {
      const { release, files } = await verifyRelease(token, key);
      // What a Node process runs, and what the vault's loader starts.
      const measured = files.filter(({ path }) => path === MEASURED || isMeasuredInVault(path));
      return measured.map(({ sha384: code }) => ({ release, measurements: { code } }));
    }),
  );
  return [...references, ...named.flat()];
}
