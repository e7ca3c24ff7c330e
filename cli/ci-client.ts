/** Who a command acts as without a person: an application server or a CI job, by the key that `coffer client register` has registered (decision 0055). */

import { isPrincipalId } from "#protocol/principal.ts";
import type { RegisteredKey } from "#web/client/client-session.ts";
import { PASSPHRASE_VARIABLE } from "./client-key.ts";
import { CommandError } from "./command-error.ts";
import { readNamed } from "./input.ts";
import { registeredKeyFrom } from "./registered-key.ts";
import { shown } from "./shown.ts";

export const CLIENT_OPTIONS = {
  client: { type: "string" },
  "client-key": { type: "string" },
  "client-key-env": { type: "string" },
} as const;

export const CLIENT_HELP_LINES = `  --client ID   sign in as this registered client, without a person (\`coffer client register\`); its key, P-256 in PEM, is in
  --client-key FILE     a file, - is standard input, or in
  --client-key-env NAME the environment variable of that name; where it is encrypted, the passphrase is in ${PASSPHRASE_VARIABLE}
`;

export type ClientValues = { [Name in keyof typeof CLIENT_OPTIONS]?: string | undefined };

/**
 * The client of a command line, if it names one. What is in an environment variable is taken out of this process's environment, so that no program
 * that it starts has it. Throws `CommandError`; no sentence has anything of the key.
 */
export async function registeredClientOf(
  values: ClientValues,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<RegisteredKey | undefined> {
  const { client: id, "client-key": file, "client-key-env": name } = values;
  if (id === undefined && file === undefined && name === undefined) return undefined;
  if (id === undefined || (file === undefined) === (name === undefined))
    throw new CommandError("--client ID goes with one of --client-key and --client-key-env.", 2);
  if (!isPrincipalId(id)) throw new CommandError("--client takes an id, as `coffer client list` has it.", 2);
  const passphrase = taken(PASSPHRASE_VARIABLE, environment);
  if (file !== undefined)
    return { id, key: registeredKeyFrom(await readNamed(file), shown(file), passphrase) };
  if (name === undefined || !/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name))
    throw new CommandError("--client-key-env takes the name of an environment variable, not the key.", 2);
  const pem = taken(name, environment);
  if (pem === undefined || pem === "")
    throw new CommandError(`There is nothing in the environment variable ${name}.`);
  return { id, key: registeredKeyFrom(pem, `The environment variable ${name}`, passphrase) };
}

function taken(name: string, environment: NodeJS.ProcessEnv): string | undefined {
  const value = environment[name];
  delete environment[name];
  return value;
}
