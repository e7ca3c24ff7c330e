/** A tenant's entry in COFFER_TENANTS, from what `coffer init` was told of it, and what is still to be done by hand. */
import { readTenants } from "#edge/tenants.ts";
import type { BackEndSettings } from "#protocol/hierarchy/index.ts";
import { CommandError } from "./command-error.ts";
import { DOMAINS, identityFiles } from "./identities.ts";

export type TenantAnswers = {
  vault?: string | undefined;
  apps: string[];
  issuer?: string | undefined;
  clientId?: string | undefined;
  /** The first admins: subjects at the issuer, or addresses that it has verified. */
  adminSubjects?: string[];
  adminEmails?: string[];
  /** What holds its keys, where the entry has to say it. */
  backEnd?: BackEndSettings;
};

/** The name of the secret with the client's secret at the tenant's provider. */
function secretName(tenant: string): string {
  return `COFFER_OIDC_SECRET_${tenant.toUpperCase().replaceAll("-", "_")}`;
}

/** The entry as TOML; what was not told stands as an example. Throws for what the edge would not take. */
export function tenantEntry(
  tenant: string,
  { vault, apps, issuer, clientId, adminSubjects = [], adminEmails = [], backEnd }: TenantAnswers,
): string {
  const entry = {
    vault: vault ?? `https://vault.${tenant}.example`,
    apps: apps.length > 0 ? apps : [`https://app.${tenant}.example`],
    oidc: {
      issuer: issuer ?? `https://login.${tenant}.example`,
      clientId: clientId ?? "coffer",
      clientSecret: secretName(tenant),
      ...(adminEmails.length > 0 && { scopes: ["profile", "email"] }),
    },
    admins: [
      ...adminSubjects.map((subject) => ({ issuer: issuer ?? "", subject })),
      ...adminEmails.map((email) => ({ email })),
    ],
  };
  const said = backEnd !== undefined && (backEnd.newest !== undefined || backEnd.without.length > 0);
  try {
    readTenants({ [tenant]: { ...entry, ...(said && { backEnd }) } }, true);
  } catch (error) {
    throw new CommandError(`${(error as Error).message}.`, 2);
  }
  const { oidc } = entry;
  return [
    `[vars.COFFER_TENANTS.${tenant}]`,
    `vault = ${JSON.stringify(entry.vault)}`,
    `apps = ${JSON.stringify(entry.apps)}`,
    ...(entry.admins.length > 0
      ? [`admins = [${entry.admins.map(inlineTable).join(", ")}]`]
      : [`# admins = [{ email = "ada@${tenant}.example" }]`]),
    "",
    `[vars.COFFER_TENANTS.${tenant}.oidc]`,
    ...Object.entries(oidc).map(([name, value]) => `${name} = ${JSON.stringify(value)}`),
    ...(said
      ? [
          "",
          `[vars.COFFER_TENANTS.${tenant}.backEnd]`,
          ...Object.entries(backEnd).map(([name, value]) => `${name} = ${JSON.stringify(value)}`),
        ]
      : []),
  ].join("\n");
}

function inlineTable(of: Record<string, string>): string {
  return `{ ${Object.entries(of)
    .map(([name, value]) => `${name} = ${JSON.stringify(value)}`)
    .join(", ")} }`;
}

/** What the operator does next, with the commands to copy. */
export function nextSteps(
  tenants: string[],
  answers: TenantAnswers,
  made: { identities: string; rootKey: string },
): string {
  const uploads = DOMAINS.map((domain) => {
    const { certificate, key } = identityFiles(made.identities, domain);
    return `   npx wrangler mtls-certificate upload --cert ${certificate} --key ${key} --name coffer-${domain}`;
  });
  return `Next, in a clone of Coffer's repository (docs/operations.md there):
1. Have the HSM's client authority certify each ${made.identities}/*.csr, as *.pem beside it; the common name stays.
2. Upload them, and put each id into its binding HSM_… of wrangler.toml, or of wrangler.split.toml; that of ra into HSM_RECIPIENTS too:
${uploads.join("\n")}
3. npx wrangler r2 bucket create coffer-documents; npx wrangler r2 bucket create coffer-audit-segments
4. In the same file: COFFER_HSM_URL, routes of the hosts, and the tenant (in wrangler.split.toml below env.app, env.iam, env.ra and env.kms):

${tenants.map((tenant) => tenantEntry(tenant, answers)).join("\n\n")}

5. The secret that the provider gave this client; with wrangler.split.toml: --config wrangler.split.toml --env iam
${tenants.map((tenant) => `   npx wrangler secret put ${secretName(tenant)}`).join("\n")}
6. npm run deploy -- --root-key ${made.rootKey}; of units: audit, verifier, datastore, kms, caas, ra, iam, app, each with --env
`;
}
