/** What is to be deployed, read as wrangler reads it, and what it lacks: wrangler would deploy it all the same. */
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { readAccountKeyPlace, readIdentifierPlace } from "#edge/places.ts";
import { readTenants, type Tenant } from "#edge/tenants.ts";
import { isUnit, type Unit } from "#edge/units.ts";
import { parseAttestation } from "#edge/verifier/policy.ts";
import { parsePolicies } from "#protocol/policy/statements/index.ts";
import { CommandError } from "./command-error.ts";
import { iamHostOf, unitFile, writeUnit } from "./iam-module.ts";

/** Set in the environment of a wrangler that was started when this was looked at. */
export const CHECKED = "COFFER_DEPLOYMENT_CHECKED";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Units whose code asks whose a host or a tenant is. */
const WITH_TENANTS: readonly Unit[] = ["app", "iam", "ra"];

export type DeploySettings = {
  /** The file of the settings: the one that was declared, or what was made of it where the IAM is a module of a unit. */
  config: string;
  declared: string;
  /** Whether page and vault go with it. */
  page: boolean;
  /** A sentence for each thing that must be there before it is deployed. */
  lacks: string[];
};

/** As far as it is looked at, what wrangler's types leave open. */
type Configuration = {
  vars: Record<string, unknown>;
  assets?: object;
  mtls_certificates: { binding: string; certificate_id: string }[];
};

/**
 * `--env` names a unit of split operation, whose settings are in wrangler.split.toml, or an environment of wrangler.toml; a
 * file that is given is taken. Throws for a table of tenants or of policies by which nobody would be served.
 */
export async function readDeploySettings(given: {
  config?: unknown;
  env?: unknown;
}): Promise<DeploySettings> {
  const { config: file, env } = given;
  const declared =
    typeof file === "string"
      ? resolve(file)
      : join(ROOT, isUnit(env) ? "wrangler.split.toml" : "wrangler.toml");
  const config = isUnit(env) ? await unitConfig(declared, env) : declared;
  const { unstable_readConfig } = await import("wrangler");
  const { vars, assets, mtls_certificates }: Configuration = unstable_readConfig({
    config,
    ...(typeof env === "string" && { env }),
  });
  const { COFFER_TENANTS: table, COFFER_ENVIRONMENT, COFFER_POLICIES: policies } = vars;
  checkPolicies(config, policies);
  checkPlace(config, vars);
  checkAttestation(config, vars.COFFER_ATTESTATION);
  const tenants =
    table !== undefined || !isUnit(env) || WITH_TENANTS.includes(env)
      ? tenantsOf(config, table, COFFER_ENVIRONMENT !== "development")
      : [];
  const lacks = [
    ...tenants
      .filter(({ oidc }) => oidc === null)
      .map(({ name }) => `COFFER_TENANTS, ${name}: it has no provider (oidc), so nobody could sign in.`),
    ...Object.entries(vars)
      .filter(([name, value]) => name.startsWith("COFFER_HSM_URL") && isPlaceholder(value))
      .map(([name, value]) => `${name} is ${value}, where there is no HSM.`),
    ...mtls_certificates
      .filter(({ certificate_id }) => /^[0-]+\d$/.test(certificate_id))
      .map(
        ({ binding }) => `${binding} has no certificate: \`wrangler mtls-certificate upload\` gives its id.`,
      ),
  ];
  return { config, declared, page: assets !== undefined, lacks };
}

/** W15: where the IAM is a module of another unit, that unit's settings are made of both. */
async function unitConfig(declared: string, unit: Unit): Promise<string> {
  const host = await iamHostOf(declared).catch((error: unknown) => {
    throw new CommandError(`${declared}: ${(error as Error).message}.`);
  });
  if (host === undefined) return declared;
  const out = unitFile(ROOT, unit);
  await writeUnit(declared, { unit, host, out });
  return out;
}

/** Of a table that nobody can read, the KMS would refuse everything. */
function checkPolicies(config: string, table: unknown): void {
  if (table === undefined || table === "") return;
  try {
    if (typeof table !== "string") throw new TypeError("it is no text");
    parsePolicies(table);
  } catch (error) {
    throw new CommandError(`${config}: COFFER_POLICIES: ${(error as Error).message}.`);
  }
}

/** M1: of a table that nobody can read, the verifier would take no evidence. */
function checkAttestation(config: string, table: unknown): void {
  if (table === undefined) return;
  try {
    if (typeof table !== "string") throw new TypeError("it is no text");
    parseAttestation(table);
  } catch (error) {
    throw new CommandError(`${config}: COFFER_ATTESTATION: ${(error as Error).message}.`);
  }
}

/** W15: of a place that is none, or that has a neighbour of the key in it, the IAM would refuse everything. */
function checkPlace(config: string, vars: Record<string, unknown>): void {
  try {
    readAccountKeyPlace(vars);
    readIdentifierPlace(vars);
  } catch (error) {
    throw new CommandError(`${config}: ${(error as Error).message}.`);
  }
}

/** A host below `.example` is nobody's (RFC 2606 §2). */
function isPlaceholder(url: unknown): boolean {
  return typeof url === "string" && /\.example$/.test(URL.parse(url)?.hostname ?? "");
}

function tenantsOf(config: string, table: unknown, strict: boolean): Tenant[] {
  try {
    // A variable that is no text comes to the worker as JSON.
    return [...readTenants(JSON.parse(JSON.stringify(table ?? null)), strict).byName.values()];
  } catch (error) {
    throw new CommandError(`${config}: ${(error as Error).message}.`);
  }
}
