import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { writeWhole } from "#files/index.ts";
import { isTenantName } from "#protocol/hierarchy/index.ts";
import { DEFAULT_LEVEL, isLevel, LEVELS } from "#protocol/level.ts";
import { bootstrap } from "./bootstrap.ts";
import { CommandError } from "./command-error.ts";
import { asOfficer, OFFICER_HELP, OFFICER_OPTIONS } from "./officer.ts";
import { COFFER } from "./parts/index.ts";
import { ROOT_KEY_FILE, rootKeyPem } from "./root-key.ts";

export const INIT_HELP = `coffer init: make a deployment's keys in its HSM

Connects to a KMIP 2.1 HSM as the officer and makes what is missing: certificate authorities, signing keys, the trust
list and a master key for each tenant. All of them are made inside the HSM and stay there. Writes the root key, which is
public: \`npm run deploy\`, in a clone of Coffer's repository, pins it in the microservice. Can be run again: what is there
stays as it is, and a tenant that is new gets its master key.

  --tenant NAME     a tenant's name, as in COFFER_TENANTS in wrangler.toml; may be given several times
  --level LEVEL     what their master keys are made for, for good: data, account or master  (${DEFAULT_LEVEL})
${OFFICER_HELP}
  --root-key FILE   where the root key is written            (${ROOT_KEY_FILE})

Example: ${COFFER} init --tenant acme --host hsm.example --ca hsm-ca.pem --cert officer.pem --key officer.key
`;

/** `coffer init`: what the officer does once. */
export async function init(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      tenant: { type: "string", multiple: true },
      level: { type: "string", default: DEFAULT_LEVEL },
      ...OFFICER_OPTIONS,
      "root-key": { type: "string", default: ROOT_KEY_FILE },
    },
  });
  const { tenant: tenants = [] } = values;
  if (tenants.length === 0 || !tenants.every(isTenantName))
    throw new CommandError("--tenant takes a name of up to 63 lower-case letters, digits and hyphens.", 2);
  const { level } = values;
  if (!isLevel(level)) throw new CommandError(`--level takes ${LEVELS.join(", ")}.`, 2);
  const keys = tenants.map((name) => ({ name, level }));
  const { rootKey } = await asOfficer(values, (hsm) => bootstrap(hsm, keys, new Date()));
  const path = resolve(values["root-key"]);
  await writeWhole(path, rootKeyPem(rootKey), { replace: true, mode: 0o644 });
  process.stdout.write(
    `Authorities, signing keys, trust list and the master key of ${tenants.join(", of ")} are in the HSM.\nThe root key is in ${path}. Next, in a clone of Coffer's repository: npm run deploy -- --root-key ${path} (docs/operations.md there)\n`,
  );
  return 0;
}
