/**
 * Release levels: the rung of a tenant's key hierarchy that is rewrapped to an instance. Imports nothing. Imported by
 * protocol/hierarchy, protocol/pki, protocol/port, web/microservice, edge, emulator/hsm and cli.
 */
export const LEVELS = ["data", "account", "master"] as const;

/** `data`, one data key on demand; `account`, the account key; `master`, the tenant's master key. */
export type Level = (typeof LEVELS)[number];

/** The level of what names none: it was made before there were levels, or for the lowest. */
export const DEFAULT_LEVEL: Level = "data";

export function isLevel(text: string): text is Level {
  return (LEVELS as readonly string[]).includes(text);
}
