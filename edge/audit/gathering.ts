/**
 * The way of a checkpoint from its source to the tenant's log. A log that each source called would be called by all of them; so
 * objects between gather for some sources each, and others for some of those. What one of them has taken it passes on.
 */

import { utf8 } from "#protocol/bytes.ts";

/** Gatherers that sources tell, by a hash of the source's name, and those that they tell, which tell the log. */
export const GATHERERS = [96, 8] as const;
/** Of one call. */
export const MAX_CHECKPOINTS = 500;

/** `<tenant>/<level>.<number>`. A tenant's name has no slash in it. */
export type Place = { tenant: string; level: number; number: number };

export function gathererName({ tenant, level, number }: Place): string {
  return `${tenant}/${level}.${number}`;
}

/** Whose gatherer it is by its name; null for a name that none has. */
export function placeOf(name: string): Place | null {
  const [, tenant, level, number] = /^([^/]+)\/(\d)\.(\d{1,4})$/.exec(name) ?? [];
  if (tenant === undefined) return null;
  return { tenant, level: Number(level), number: Number(number) };
}

/** The gatherer that a source tells. */
export async function gathererOf(tenant: string, source: string): Promise<Place> {
  const hash = new DataView(await crypto.subtle.digest("SHA-256", utf8(source)));
  return { tenant, level: 0, number: hash.getUint32(0) % GATHERERS[0] };
}

/** The gatherer that a gatherer tells; null for one that tells the log. */
export function nextOf({ tenant, level, number }: Place): Place | null {
  const width = GATHERERS[level + 1];
  return width === undefined ? null : { tenant, level: level + 1, number: number % width };
}
