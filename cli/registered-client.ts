import { parseArgs } from "node:util";
import { plainName } from "#protocol/contract/names.ts";
import { fits } from "#protocol/shape.ts";
import { PASSPHRASE_VARIABLE } from "./client-key.ts";
import { CommandError } from "./command-error.ts";
import { dateOf, exactly, JSON_HELP_LINE, tell } from "./life.ts";
import { print } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { makeRegisteredKey, readPublicKey } from "./registered-key.ts";
import { SESSION_HELP, sessionOptions, withClient } from "./session-options.ts";
import { shown } from "./shown.ts";

export const CLIENT_HELP = `coffer client key FILE        make a key for an application server: the private half goes into FILE, encrypted
                              where ${PASSPHRASE_VARIABLE} has a passphrase, the public one is printed as a JWK
coffer client register NAME --jwk FILE
                              register it by its public key, a JWK or PEM, and print its id; another key for a
                              name takes the place of the first, and ends what was issued by it
coffer client list            name, id, since when, and which app it is a custodian of
coffer client remove NAME     its tokens and its instances end at once

For admins of the tenant. An application server signs in by its key, without a person. It has an account of its own, and
those that an owner makes it a member of (\`coffer member add ID\`).

  --jwk FILE    the public key
  --app APP     id or origin of the app              (the first)
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
    },
  });
  const { json, jwk: file, app } = values;
  const [verb = "", ...rest] = positionals;
  if (verb === "key") {
    const [path = ""] = exactly("client key", rest, "a file");
    const jwk = await makeRegisteredKey(path, process.env[PASSPHRASE_VARIABLE]);
    await print(`${JSON.stringify(jwk)}\n`);
    return 0;
  }
  if (!["register", "list", "remove"].includes(verb))
    throw new CommandError("coffer client: say key, register, list or remove. Try --help.", 2);
  const [name = ""] = exactly(`client ${verb}`, rest, ...(verb === "list" ? [] : ["a name"]));
  if (verb !== "list" && !fits(plainName, name))
    throw new CommandError("A client's name is up to 63 lower-case letters, digits and hyphens.", 2);
  if ((file === undefined) === (verb === "register"))
    throw new CommandError("coffer client: register takes --jwk FILE. Try --help.", 2);
  const jwk = file === undefined ? undefined : await readPublicKey(file);
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
    const id = await administration.registerClient(name, jwk, app);
    return tell(json, id, { client: name, id });
  });
  return 0;
}
