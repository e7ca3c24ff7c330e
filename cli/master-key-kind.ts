import { MASTER_KEYS, type MasterKeys } from "#protocol/hierarchy/index.ts";
import { CommandError } from "./command-error.ts";

/** What a master key is to be made as, from an option of a command. Throws a `CommandError`. */
export function masterKeyKind(text: string, option: string): MasterKeys {
  const kind = MASTER_KEYS.find((known) => known === text);
  if (kind === undefined) throw new CommandError(`${option} takes ${MASTER_KEYS.join(" or ")}.`, 2);
  return kind;
}
