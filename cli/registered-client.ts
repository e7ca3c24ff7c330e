import { parseArgs } from "node:util";
import { plainName } from "#protocol/contract/names.ts";
import { isPrincipalId } from "#protocol/principal.ts";
import { fits } from "#protocol/shape.ts";
import { PASSPHRASE_VARIABLE } from "./client-key.ts";
import { CommandError } from "./command-error.ts";
import { expectOneInput, INPUT, readNamed } from "./input.ts";
import { signKeyChange } from "./key-change.ts";
import { dateOf, exactly, JSON_HELP_LINE } from "./life.ts";
import { tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { makeRegisteredKey, newRegisteredKey, readPublicKey, registeredKeyFrom } from "./registered-key.ts";
import { deploymentOf, SESSION_HELP, sessionOptions, withClient } from "./session-options.ts";
import { shown } from "./shown.ts";

export const CLIENT_HELP = `coffer client key FILE        make a key for an application server: the private half goes into FILE, encrypted
                              where ${PASSPHRASE_VARIABLE} has a passphrase, the public one is printed as a JWK
coffer client register NAME --jwk FILE
                              register it by its public key, a JWK or PEM, and print its id; another key for a
                              name is another client in the place of the first, which is removed
coffer client rotate ID --key OLD.pem --jwk NEW.jwk
                              on the server: print the word of its key that another one takes its place
coffer client register NAME --jwk NEW.jwk --change FILE
                              take that word: the client goes on, by the new key, within a day
coffer client list            name, id, since when, and which app it is a custodian of
coffer client remove NAME     its tokens and its instances end at once

For admins of the tenant. An application server signs in by its key, without a person. It has an account of its own, and
those that an owner makes it a member of (\`coffer member add ID\`).

  --jwk FILE    the public key
  --app APP     id or origin of the app              (the first)
  --key FILE    the private key of now, under ${PASSPHRASE_VARIABLE} if it is encrypted
  --vault ORIGIN  of the tenant's vault              (that of the deployment in --dir)
  --change FILE what \`client rotate\` has printed
                One of these files that are read can be -, standard input. \`client key -\` prints the private half and writes
                no file; with --json it prints both, as key and jwk
${JSON_HELP_LINE}
${SESSION_HELP}
Exit code: 0 done, 1 not, 2 the command line is wrong.

Examples: ${COFFER} client key server.pem > server.jwk
          ${COFFER} client register reports --jwk server.jwk --user ada
`;

/** `coffer client` */
export async function client(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      ...sessionOptions,
      json: { type: "boolean", default: false },
      jwk: { type: "string" },
      app: { type: "string" },
      key: { type: "string" },
      vault: { type: "string" },
      change: { type: "string" },
    },
  });
  const { json, jwk: file, app } = values;
  const [verb = "", ...rest] = positionals;
  expectOneInput(file, values.key, values.change);
  if (verb === "key") {
    const [path = ""] = exactly("client key", rest, "a file");
    const passphrase = process.env[PASSPHRASE_VARIABLE];
    if (path === INPUT) {
      const { pem, jwk } = newRegisteredKey(passphrase);
      tell(json, pem.trimEnd(), { key: pem, jwk });
      return 0;
    }
    const jwk = await makeRegisteredKey(path, passphrase);
    tell(true, "", jwk);
    return 0;
  }
  if (verb === "rotate") {
    const [id = ""] = exactly("client rotate", rest, "the client's id");
    if (!isPrincipalId(id)) throw new CommandError("coffer client rotate: say the client's id.", 2);
    if (values.key === undefined || file === undefined)
      throw new CommandError("coffer client rotate: takes --key FILE and --jwk FILE. Try --help.", 2);
    const key = await registeredKeyOf(values.key);
    const vault = values.vault ?? (await deploymentOf(values)).vault;
    const change = await signKeyChange(key, {
      id,
      vault,
      to: await readPublicKey("--jwk", file),
      now: Date.now(),
    });
    tell(json, change, { change });
    return 0;
  }
  if (!["register", "list", "remove"].includes(verb))
    throw new CommandError("coffer client: say key, register, rotate, list or remove. Try --help.", 2);
  const [name = ""] = exactly(`client ${verb}`, rest, ...(verb === "list" ? [] : ["a name"]));
  if (verb !== "list" && !fits(plainName, name))
    throw new CommandError("A client's name is up to 63 lower-case letters, digits and hyphens.", 2);
  if ((file === undefined) === (verb === "register"))
    throw new CommandError("coffer client: register takes --jwk FILE. Try --help.", 2);
  if (values.change !== undefined && verb !== "register")
    throw new CommandError("coffer client: --change belongs to register. Try --help.", 2);
  const jwk = file === undefined ? undefined : await readPublicKey("--jwk", file);
  const change = values.change === undefined ? undefined : await readChange(values.change);
  await withClient(values, async ({ administration }) => {
    if (verb === "list") {
      const clients = await administration.clients();
      const lines = clients.map(
        ({ name, id, since, app }) => `${id}  ${dateOf(since)}  ${shown(name)}  ${shown(app)}`,
      );
      return tell(json, lines.join("\n"), clients);
    }
    if (jwk === undefined) {
      await administration.removeClient(name);
      return tell(json, `${name} is removed.`, { client: name });
    }
    const id = await administration.registerClient(name, jwk, { app, change });
    return tell(json, id, { client: name, id });
  });
  return 0;
}

/** A client's private key, under the passphrase in the environment where it is encrypted. */
async function registeredKeyOf(path: string) {
  return registeredKeyFrom(await readNamed(path), path, process.env[PASSPHRASE_VARIABLE]);
}

async function readChange(path: string): Promise<string> {
  return (await readNamed(path, { option: "--change" })).trim();
}
