import { parseArgs } from "node:util";
import { isTenantName } from "#protocol/hierarchy/index.ts";
import { CommandError } from "./command-error.ts";
import { retireMasterKey, rotateMasterKey } from "./master-key.ts";
import { asOfficer, OFFICER_HELP, OFFICER_OPTIONS } from "./officer.ts";
import { COFFER } from "./parts/index.ts";

export const ROTATE_HELP = `coffer rotate: give a tenant a new master key

Connects to a KMIP 2.1 HSM as the officer and makes a master key in place of the tenant's, of the same release level. Account
keys are made under the new one from then on, and those of before are wrapped under it; documents stay as they are. The old
key stays until it is retired, so nothing is out of reach meanwhile. Run again, it tells of the rotation under way. What stands
under a second layer of the old key (secondLayer in the table of tenants) is not moved, and is lost when that is retired.

  --tenant NAME     whose master key
  --retire          end the old key instead, for good: account keys that are not under the new one by then are lost
${OFFICER_HELP}

Example: ${COFFER} rotate --tenant acme --host hsm.example --ca hsm-ca.pem --cert officer.pem --key officer.key
`;

/** `coffer rotate`: begins the rotation of a master key (W12), and ends it. */
export async function rotate(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { tenant: { type: "string" }, retire: { type: "boolean", default: false }, ...OFFICER_OPTIONS },
  });
  const { tenant, retire } = values;
  if (tenant === undefined || !isTenantName(tenant))
    throw new CommandError("--tenant takes a name of up to 63 lower-case letters, digits and hyphens.", 2);
  if (retire) {
    const retired = await asOfficer(values, (hsm) => retireMasterKey(hsm, tenant));
    process.stdout.write(
      retired === undefined
        ? `No old master key of ${tenant} is left.\n`
        : `The old master key of ${tenant}, ${retired}, is destroyed.\n`,
    );
    return 0;
  }
  const { replaced, successor } = await asOfficer(values, (hsm) => rotateMasterKey(hsm, tenant, new Date()));
  process.stdout.write(
    `The master key of ${tenant} is ${successor}, in place of ${replaced}.\nOnce all account keys are under it: ${COFFER} rotate --tenant ${tenant} --retire\n`,
  );
  return 0;
}
