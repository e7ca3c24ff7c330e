import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { isTenantName } from "#protocol/hierarchy/index.ts";
import type { KmipClient } from "#protocol/kmip/index.ts";
import type { DeletionRequest } from "#web/client/accounts.ts";
import type { Rotation, RotationProgress } from "#web/client/rotation.ts";
import { CommandError } from "./command-error.ts";
import { dateOf, deletionOf, END_OPTIONS } from "./life.ts";
import { currentMasterKey, retireMasterKey, rotateMasterKey } from "./master-key.ts";
import { masterKeyKind } from "./master-key-kind.ts";
import { asOfficer, OFFICER_HELP, OFFICER_OPTIONS } from "./officer.ts";
import { tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { keepReplaced, retirementOf, scheduleRetirement } from "./retirement.ts";
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
  --retire          end the old key instead. Refused until all account keys have moved, as the deployment of --dir says. The HSM takes
                    it out of use by itself when it is time; run once more afterwards, this destroys it, for good
  --days N          with --retire: when that is, in 7 to 30 days       (30)
  --immediately     with --retire: at once instead, which cannot be cancelled
  --keep            keep the old key after all, as long as its time has not come
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
      keep: { type: "boolean", default: false },
      ...END_OPTIONS,
      unchecked: { type: "boolean", default: false },
      kind: { type: "string", default: "AES-256" },
      dir: { type: "string" },
      user: { type: "string" },
      json: { type: "boolean", default: false },
      ...OFFICER_OPTIONS,
    },
  });
  const { tenant, retire, keep, unchecked, dir, user, json } = values;
  if (tenant === undefined || !isTenantName(tenant))
    throw new CommandError("--tenant takes a name of up to 63 lower-case letters, digits and hyphens.", 2);
  if (unchecked && (!retire || dir !== undefined))
    throw new CommandError("--unchecked goes with --retire, and without --dir.", 2);
  if (retire && keep) throw new CommandError("Say --retire or --keep, not both.", 2);
  const end = deletionOf(values);
  if (!retire && (end.days !== undefined || end.immediately))
    throw new CommandError("--days and --immediately go with --retire.", 2);
  const kind = masterKeyKind(values.kind, "--kind");
  if (retire) {
    if (dir === undefined && !unchecked)
      throw new CommandError(
        "--retire asks the deployment of --dir whether all account keys have moved; --unchecked ends the old key without that.",
        2,
      );
    const master = await asOfficer(values, (hsm) => currentMasterKey(hsm, tenant));
    if (dir !== undefined) await withClient({ dir, user }, ({ rotation }) => requireMoved(rotation, master));
    const ended = await asOfficer(values, (hsm) => endReplaced(hsm, tenant, end));
    tell(json, saidOfEnd(tenant, ended), { tenant, master, ...jsonOf(ended) });
    return 0;
  }
  if (keep) {
    const kept = await asOfficer(values, (hsm) => keepReplaced(hsm, tenant, new Date()));
    if (kept?.live === false)
      throw new CommandError(`The old master key of ${tenant}, ${kept.replaced}, is out of use already.`);
    const text =
      kept === undefined ? noneLeft(tenant) : `The old master key of ${tenant}, ${kept.replaced}, is kept.`;
    tell(json, text, { tenant, kept: kept?.replaced ?? null });
    return 0;
  }
  const { replaced, successor } = await asOfficer(values, (hsm) =>
    rotateMasterKey(hsm, tenant, new Date(), kind),
  );
  const begun = `The master key of ${tenant} is ${successor}, in place of ${replaced}.`;
  const next = `Once all account keys are under it: ${COFFER} rotate --tenant ${tenant} --retire`;
  if (dir === undefined) {
    tell(json, `${begun}\n${next}`, { tenant, master: successor, replaced });
    return 0;
  }
  if (!json) process.stdout.write(`${begun}\n`);
  const moved = await withClient({ dir, user }, ({ rotation }) => watch(rotation, successor));
  tell(json, `All ${moved.all} accounts have moved.\n${next}`, { tenant, replaced, ...moved });
  return 0;
}

type Ended = { replaced: string; ends?: Date } | undefined;

/** Destroyed where that was asked for or its time has come, and scheduled else. */
async function endReplaced(hsm: KmipClient, tenant: string, end: DeletionRequest): Promise<Ended> {
  const now = new Date();
  const ends = new Date(now.getTime() + (end.days ?? 30) * 86_400_000);
  const scheduled = end.immediately
    ? await retirementOf(hsm, tenant, now)
    : await scheduleRetirement(hsm, tenant, ends, now);
  if (scheduled === undefined) return undefined;
  if (!end.immediately && scheduled.live)
    return { replaced: scheduled.replaced, ends: scheduled.ends ?? ends };
  const replaced = await retireMasterKey(hsm, tenant);
  return replaced === undefined ? undefined : { replaced };
}

const noneLeft = (tenant: string) => `No old master key of ${tenant} is left.`;

function saidOfEnd(tenant: string, ended: Ended): string {
  if (ended === undefined) return noneLeft(tenant);
  const key = `The old master key of ${tenant}, ${ended.replaced},`;
  if (ended.ends === undefined) return `${key} is destroyed.`;
  const day = dateOf(ended.ends.getTime() / 1000);
  return `${key} goes out of use ${day}. To keep it: ${COFFER} rotate --tenant ${tenant} --keep\nAfter that day: ${COFFER} rotate --tenant ${tenant} --retire`;
}

function jsonOf(ended: Ended): { retired: string | null; ends?: number } {
  if (ended?.ends === undefined) return { retired: ended?.replaced ?? null };
  return { retired: null, ends: Math.floor(ended.ends.getTime() / 1000) };
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
