import { parseArgs } from "node:util";
import { isTenantName } from "#protocol/hierarchy/index.ts";
import { allowOperations, areOperationsAllowed } from "./allow-operations.ts";
import { CommandError } from "./command-error.ts";
import { asOfficer, OFFICER_HELP, OFFICER_OPTIONS } from "./officer.ts";
import { tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";

export const OPERATIONS_HELP = `coffer operations: say whether a tenant's data keys work inside the HSM

Connects to a KMIP 2.1 HSM as the officer. Where it is allowed, apps of the tenant can have the centralized service (CaaS) encrypt,
decrypt and authenticate with their data keys, at the edge and without a microservice. Whoever runs the edge can then decrypt
what is sealed under the tenant's data keys, so it is forbidden until it is allowed; forbidden again, it ends at once.

  --tenant NAME     whose
  --allow           allow it
  --forbid          forbid it
  --json            one JSON object on standard output
${OFFICER_HELP}

Without --allow and --forbid it says how it stands.

Example: ${COFFER} operations --tenant acme --allow --host hsm.example --ca hsm-ca.pem --cert officer.pem --key officer.key
`;

/** `coffer operations`: the officer's word on operations in the HSM (M16). */
export async function operations(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      tenant: { type: "string" },
      allow: { type: "boolean", default: false },
      forbid: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      ...OFFICER_OPTIONS,
    },
  });
  const { tenant, allow, forbid, json } = values;
  if (tenant === undefined || !isTenantName(tenant))
    throw new CommandError("--tenant takes a name of up to 63 lower-case letters, digits and hyphens.", 2);
  if (allow && forbid) throw new CommandError("--allow and --forbid do not go together.", 2);
  const allowed = await asOfficer(values, async (hsm) => {
    if (allow || forbid) await allowOperations(hsm, tenant, allow);
    return areOperationsAllowed(hsm, tenant);
  });
  const text = `Operations in the HSM are ${allowed ? "allowed" : "forbidden"} for ${tenant}.`;
  tell(json, text, { tenant, allowed });
  return 0;
}
