import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { writeWhole } from "#files/index.ts";
import { isTenantName } from "#protocol/hierarchy/index.ts";
import type { KmipClient } from "#protocol/kmip/index.ts";
import { DEFAULT_LEVEL, isLevel, LEVELS } from "#protocol/level.ts";
import { backEndOptions, standingLine, standingOf } from "./back-end.ts";
import { type ApartHsms, bootstrap } from "./bootstrap.ts";
import { CommandError } from "./command-error.ts";
import { documentPath } from "./document-path.ts";
import { DOMAINS, hasIdentity, identityFiles, makeIdentity } from "./identities.ts";
import { masterKeyKind } from "./master-key-kind.ts";
import { asOfficer, OFFICER_HELP, OFFICER_OPTIONS } from "./officer.ts";
import { tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { ROOT_KEY_FILE, rootKeyPem } from "./root-key.ts";
import { survey } from "./survey.ts";
import { nextSteps, tenantEntry } from "./tenant-entry.ts";

export const INIT_HELP = `coffer init: make what a deployment and its tenants need

Connects to a KMIP 2.1 HSM as the officer and makes what is missing: certificate authorities, signing keys, the trust
list, and for each tenant a master key and the key for its seeds. All of them are made inside the HSM and stay there. Makes a key and a certificate
request for each domain's identity at the HSM, and writes the root key, which is public. Says what was there, what was
made, and what is to be done next, with the tenant's settings. Can be run again: nothing that is there is changed.

  --tenant NAME     a tenant's name, as in COFFER_TENANTS in wrangler.toml; may be given several times
  --level LEVEL     what their master keys are made for, for good: data, account or master  (${DEFAULT_LEVEL})
  --master-key KIND what a master key is made as: AES-256, or RSA-3072, a pair; \`coffer rotate\` can change it  (AES-256)
  --vault ORIGIN    the tenant's vault, --app ORIGIN its app, which may be given several times
  --admin-subject S its first admin: the subject at that provider, or --admin-email ADDRESS, which the provider has verified
  --issuer URL      its OpenID Connect provider, --client-id ID what that knows the vault by
  --newest VERSION  the newest version of KMIP that is spoken for their keys  (the newest that the HSM has)
  --without LIST    what of it they go without, separated by commas: sensitive, release-policy, account-keys. An HSM that
                    keeps less than that is refused: "Choosing a back end" in
                    ${documentPath("operations.md")}
  --dry-run         say what is there and what would be made; make nothing
  --json            one JSON object on standard output: dryRun, backEnd, hsm, files, rootKey and tenants, with each entry as TOML

${OFFICER_HELP}
  --apart DOMAIN=HOST[:PORT],CA,CERT,KEY
                    the HSM that ra, iam or audit has of its own, as its officer reaches it; may be given several times
  --identities DIR  where keys and requests are written      (coffer-identities)
  --root-key FILE   where the root key is written            (${ROOT_KEY_FILE})

Example: ${COFFER} init --tenant acme --host hsm.example --ca hsm-ca.pem --cert officer.pem --key officer.key
`;

const APART = ["ra", "iam", "audit"] as const;

/** `coffer init`: what the officer does once for a deployment, and for each new tenant. */
export async function init(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      tenant: { type: "string", multiple: true },
      level: { type: "string", default: DEFAULT_LEVEL },
      "master-key": { type: "string", default: "AES-256" },
      vault: { type: "string" },
      app: { type: "string", multiple: true },
      issuer: { type: "string" },
      "admin-subject": { type: "string", multiple: true },
      "admin-email": { type: "string", multiple: true },
      "client-id": { type: "string" },
      newest: { type: "string" },
      without: { type: "string" },
      "dry-run": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      apart: { type: "string", multiple: true },
      identities: { type: "string", default: "coffer-identities" },
      ...OFFICER_OPTIONS,
      "root-key": { type: "string", default: ROOT_KEY_FILE },
    },
  });
  const { tenant: tenants = [], app: apps = [], vault, issuer, identities } = values;
  if (tenants.length === 0 || !tenants.every(isTenantName))
    throw new CommandError("--tenant takes a name of up to 63 lower-case letters, digits and hyphens.", 2);
  if (values["admin-subject"] !== undefined && issuer === undefined)
    throw new CommandError("--admin-subject is a subject at a provider: give its --issuer too.", 2);
  if (tenants.length > 1 && (vault !== undefined || apps.length > 0))
    throw new CommandError("--vault and --app are one tenant's: give one --tenant with them.", 2);
  const { level } = values;
  if (!isLevel(level)) throw new CommandError(`--level takes ${LEVELS.join(", ")}.`, 2);
  const masterKey = masterKeyKind(values["master-key"], "--master-key");
  const admins = {
    adminSubjects: values["admin-subject"] ?? [],
    adminEmails: values["admin-email"] ?? [],
  };
  const backEnd = backEndOptions(values.newest, values.without);
  const answers = { backEnd, vault, apps, issuer, clientId: values["client-id"], ...admins };
  for (const tenant of tenants) tenantEntry(tenant, answers);
  const { json, "dry-run": dry } = values;
  const { standing, before, rootKey } = await asOfficer(values, async (hsm, exchange) => {
    // Before anything is made there.
    const standing = await standingOf(exchange, backEnd);
    return withApart(values.apart ?? [], async (apart) => {
      const before = await survey(hsm, tenants, apart);
      if (dry) return { standing, before, rootKey: undefined };
      const keys = tenants.map((name) => ({ name, level, masterKey }));
      return { standing, before, ...(await bootstrap(hsm, keys, new Date(), apart)) };
    });
  });
  const told: InitTold = { dryRun: dry, backEnd: standing, hsm: [], files: [], rootKey: null, tenants: [] };
  const say = (line: string) => tell(json, line, told);
  const state = (there: boolean) => (there ? "is there" : dry ? "to be made" : "made");
  const lines = [standingLine(standing)];
  for (const [name, there] of before) {
    lines.push(`${state(there)}: ${name}, in the HSM`);
    told.hsm.push({ name, wasThere: there });
  }
  for (const domain of DOMAINS) {
    const there = hasIdentity(identities, domain);
    if (!there && !dry) await makeIdentity(identities, domain);
    const { key, request } = identityFiles(identities, domain);
    lines.push(`${state(there)}: ${key}, ${request}`);
    told.files.push({ key, request, wasThere: there });
  }
  const path = resolve(values["root-key"]);
  if (rootKey === undefined) {
    say(lines.join("\n"));
    return 0;
  }
  lines.push(`${state(!(await keepRootKey(path, rootKeyPem(rootKey))))}: ${path}`);
  told.rootKey = path;
  told.tenants = tenants.map((name) => ({ name, entry: tenantEntry(name, answers) }));
  say(
    `${lines.join("\n")}\n\nAuthorities, signing keys, trust list, the master key and the key for seeds of ${tenants.join(", of ")} are in the HSM.\n\n${nextSteps(tenants, answers, { identities, rootKey: path }).trimEnd()}`,
  );
  return 0;
}

/** With --json: what was there and, unless it is a dry run, what was made; a tenant's `entry` is TOML. */
type InitTold = {
  dryRun: boolean;
  backEnd: Awaited<ReturnType<typeof standingOf>>;
  hsm: { name: string; wasThere: boolean }[];
  files: { key: string; request: string; wasThere: boolean }[];
  rootKey: string | null;
  tenants: { name: string; entry: string }[];
};

/** Writes it unless it is there; whether it was written. Another deployment's is not replaced. */
async function keepRootKey(path: string, pem: string): Promise<boolean> {
  const kept = await readFile(path, "utf8").catch(() => undefined);
  if (kept !== undefined && kept.trim() !== pem.trim())
    throw new CommandError(
      `${path} is another deployment's root key, and stays: name a file for this one with --root-key.`,
    );
  if (kept === undefined) await writeWhole(path, pem, { mode: 0o644 });
  return kept === undefined;
}

/** With a client of each HSM that a domain has of its own. */
async function withApart<T>(
  [first, ...rest]: string[],
  work: (apart: ApartHsms) => Promise<T>,
  apart: ApartHsms = {},
): Promise<T> {
  if (first === undefined) return work(apart);
  const [, domain, host, port, ca, cert, key] =
    /^([a-z]+)=([^:,]+)(?::(\d+))?,([^,]+),([^,]+),([^,]+)$/.exec(first) ?? [];
  if (!APART.some((known) => known === domain))
    throw new CommandError("--apart takes ra, iam or audit, as in ra=HOST:PORT,CA,CERT,KEY.", 2);
  return asOfficer({ host, port, ca, cert, key }, (hsm: KmipClient) =>
    withApart(rest, work, { ...apart, [String(domain)]: hsm }),
  );
}
