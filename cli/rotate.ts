import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { isTenantName } from "#protocol/hierarchy/index.ts";
import type { Rotation, RotationProgress } from "#web/client/rotation.ts";
import { CommandError } from "./command-error.ts";
import { currentMasterKey, retireMasterKey, rotateMasterKey } from "./master-key.ts";
import { masterKeyKind } from "./master-key-kind.ts";
import { asOfficer, OFFICER_HELP, OFFICER_OPTIONS } from "./officer.ts";
import { COFFER } from "./parts/index.ts";
import { withClient } from "./session-options.ts";

export const ROTATE_HELP = `coffer rotate: give a tenant a new master key

Connects to a KMIP 2.1 HSM as the officer and makes a master key in place of the tenant's, of the same release level. Account
keys are made under the new one from then on, and the KMS moves those of before under it, in the background; documents stay as
they are. The old key stays until it is retired, so nothing is out of reach meanwhile. Run again, it tells of the rotation under
way, and has what failed tried again. What stands under a second layer of the old key (secondLayer in the table of tenants) is
not moved, and is lost when that is retired.

  --tenant NAME     whose master key
  --kind KIND       what the new one is: AES-256, or RSA-3072, a pair, for a tenant without a second layer  (AES-256)
  --dir PATH        where \`coffer start\` runs from: begins the move there and shows how far it is, until all account keys have
                    moved. Ctrl-C ends the command alone, the move goes on
  --user NAME       signs in there by this name (development)
  --retire          end the old key instead, for good. Refused until all account keys have moved, as the deployment of --dir says
  --unchecked       with --retire: where no deployment can be asked from here. Account keys that are not under the new key by then
                    are lost, with all their documents
  --json            one JSON object on standard output
${OFFICER_HELP}

Example: ${COFFER} rotate --tenant acme --host hsm.example --ca hsm-ca.pem --cert officer.pem --key officer.key
`;

/** How often the deployment is asked. Milliseconds. */
const INTERVAL = 1000;

/** `coffer rotate`: begins the rotation of a master key (W12), and ends it. */
export async function rotate(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      tenant: { type: "string" },
      retire: { type: "boolean", default: false },
      unchecked: { type: "boolean", default: false },
      kind: { type: "string", default: "AES-256" },
      dir: { type: "string" },
      user: { type: "string" },
      json: { type: "boolean", default: false },
      ...OFFICER_OPTIONS,
    },
  });
  const { tenant, retire, unchecked, dir, user, json } = values;
  if (tenant === undefined || !isTenantName(tenant))
    throw new CommandError("--tenant takes a name of up to 63 lower-case letters, digits and hyphens.", 2);
  if (unchecked && (!retire || dir !== undefined))
    throw new CommandError("--unchecked goes with --retire, and without --dir.", 2);
  const kind = masterKeyKind(values.kind, "--kind");
  const tell = (text: string, value: object) =>
    process.stdout.write(json ? `${JSON.stringify(value)}\n` : `${text}\n`);
  if (retire) {
    if (dir === undefined && !unchecked)
      throw new CommandError(
        "--retire asks the deployment of --dir whether all account keys have moved; --unchecked ends the old key without that.",
        2,
      );
    const master = await asOfficer(values, (hsm) => currentMasterKey(hsm, tenant));
    if (dir !== undefined) await withClient({ dir, user }, ({ rotation }) => requireMoved(rotation, master));
    const retired = await asOfficer(values, (hsm) => retireMasterKey(hsm, tenant));
    const text =
      retired === undefined
        ? `No old master key of ${tenant} is left.`
        : `The old master key of ${tenant}, ${retired}, is destroyed.`;
    tell(text, { tenant, master, retired: retired ?? null });
    return 0;
  }
  const { replaced, successor } = await asOfficer(values, (hsm) =>
    rotateMasterKey(hsm, tenant, new Date(), kind),
  );
  const begun = `The master key of ${tenant} is ${successor}, in place of ${replaced}.`;
  const next = `Once all account keys are under it: ${COFFER} rotate --tenant ${tenant} --retire`;
  if (dir === undefined) {
    tell(`${begun}\n${next}`, { tenant, master: successor, replaced });
    return 0;
  }
  if (!json) process.stdout.write(`${begun}\n`);
  const moved = await withClient({ dir, user }, ({ rotation }) => watch(rotation, successor));
  tell(`All ${moved.all} accounts have moved.\n${next}`, { tenant, replaced, ...moved });
  return 0;
}

/** Until all have moved. What has failed goes on being tried, and is told. */
async function watch(rotation: Rotation, master: string): Promise<RotationProgress> {
  let told = await rotation.begin();
  while (!isMoved(told, master)) {
    if (process.stderr.isTTY) process.stderr.write(`\r${said(told)}`.padEnd(79));
    await pause(INTERVAL);
    told = await rotation.read();
  }
  if (process.stderr.isTTY) process.stderr.write(`\r${"".padEnd(78)}\r`);
  return told;
}

async function requireMoved(rotation: Rotation, master: string): Promise<void> {
  const told = await rotation.read();
  if (isMoved(told, master)) return;
  const why = told.master === master ? said(told) : "The move under the new master key was not begun";
  throw new CommandError(
    `${why}. The old key is kept: what has not moved would be lost with it. Run \`${COFFER} rotate\` without --retire first.`,
  );
}

function isMoved({ master, all, moved }: RotationProgress, wanted: string): boolean {
  return master === wanted && moved === all;
}

function said({ all, moved, failed }: RotationProgress): string {
  return `${moved} of ${all} accounts have moved${failed > 0 ? `, ${failed} have failed and are tried again` : ""}`;
}
