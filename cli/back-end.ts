/** What an HSM keeps as back end of tenants, as `coffer init` finds it before it makes anything there. */
import { agreeVersion, askKmip, checkStanding } from "#edge/hsm/index.ts";
import {
  ASSURANCES,
  type Assurance,
  type BackEndSettings,
  KMIP_VERSIONS,
  lacking,
} from "#protocol/hierarchy/index.ts";
import type { Exchange } from "#protocol/kmip/index.ts";
import { CommandError } from "./command-error.ts";

/** Of `--newest` and `--without`. */
export function backEndOptions(newest: string | undefined, without = ""): BackEndSettings {
  const version = KMIP_VERSIONS.find((known) => known === newest);
  if (newest !== undefined && version === undefined)
    throw new CommandError(`--newest takes a version of KMIP: ${KMIP_VERSIONS.join(", ")}.`, 2);
  const names = without === "" ? [] : without.split(",");
  const isAssurance = (name: string): name is Assurance => ASSURANCES.some((known) => known === name);
  if (!names.every(isAssurance))
    throw new CommandError(`--without takes ${ASSURANCES.join(", ")}, separated by commas.`, 2);
  return { kind: "kmip", ...(version && { newest: version }), without: names };
}

/** Throws `BackEndRefused` for one that keeps less than is asked for. */
export async function standingOf(
  exchange: Exchange,
  backEnd: BackEndSettings,
): Promise<{ name: string; keeps: readonly Assurance[]; lacks: readonly Assurance[] }> {
  const standing = await askKmip(exchange, await agreeVersion(exchange, backEnd.newest));
  checkStanding(standing, backEnd);
  return { ...standing, lacks: lacking(standing.keeps) };
}

export function standingLine({ name, keeps, lacks }: Awaited<ReturnType<typeof standingOf>>): string {
  const without = lacks.length > 0 ? `; goes without ${lacks.join(", ")}, as was allowed` : "";
  return `back end: ${name}, keeps ${keeps.join(", ") || "nothing"}${without}`;
}
