import { CommandError } from "./command-error.ts";

/** The whole number that an option says, in decimal digits. Error: `CommandError`, with 2 as exit code. */
export function numberIn(option: string, said: string, least: number, most: number): number {
  const number = Number(said);
  if (!/^(0|[1-9]\d*)$/.test(said) || number < least || number > most)
    throw new CommandError(`${option} takes a whole number from ${least} to ${most}.`, 2);
  return number;
}
