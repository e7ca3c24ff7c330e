import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { appKeyFile, keepAppKey, keepSymmetricKey, symmetricKeyFile } from "#web/hosts/node/index.ts";
import { PASSPHRASE_VARIABLE } from "./client-key.ts";
import { CommandError } from "./command-error.ts";
import { dateOf, exactly, JSON_HELP_LINE } from "./life.ts";
import { tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { SESSION_HELP, type SessionValues, sessionOptions, withClient } from "./session-options.ts";
import { shown } from "./shown.ts";

/** The environment variable with the passphrase of an application server's key file. */
const APP_KEY_PASSPHRASE = "COFFER_APP_KEY_PASSPHRASE";

export const INSTANCE_HELP = `coffer instance list        the user's microservices, newest first: id, status, tier, until when, app
coffer instance revoke ID   no key is released to it any more; the others go on
coffer instance passkeys    the user's passkeys, newest first, by which a browser's vault is renewed
coffer instance remove-passkey ID
                            it vouches for no instance from now on; those that it has vouched for go on
coffer instance rotate-key FILE
                            another app-specific key for the application server that keeps its own in FILE (encrypted
                            PKCS#8, passphrase in ${APP_KEY_PASSPHRASE}). The next one is FILE.next until the tenant's
                            keys have come to it, so that a file that opens is there at any moment. A server that runs
                            uses it from its next start

  --key FILE         with rotate-key: its registered key (--client-key), under ${PASSPHRASE_VARIABLE} if it is encrypted
  --symmetric FILE   with rotate-key: where it keeps a symmetric app-specific key, which is another one then too
${JSON_HELP_LINE}
${SESSION_HELP}
Exit code: 0 done, 1 not, 2 the command line is wrong.

Examples: ${COFFER} instance list --user ada
          ${COFFER} instance rotate-key app-specific-key.pem --client ID --key server.pem
`;

const VERBS = ["list", "revoke", "passkeys", "remove-passkey"];
const TAKE_AN_ID = ["revoke", "remove-passkey"];

/** `coffer instance` */
export async function instance(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      ...sessionOptions,
      json: { type: "boolean", default: false },
      key: { type: "string" },
      symmetric: { type: "string" },
    },
  });
  const [verb = "", ...rest] = positionals;
  if (verb === "rotate-key") {
    const [path = ""] = exactly("instance rotate-key", rest, "the file of an app-specific key");
    return rotateKey(resolve(path), values);
  }
  if (!VERBS.includes(verb))
    throw new CommandError(`coffer instance: say ${VERBS.join(", ")} or rotate-key. Try --help.`, 2);
  for (const name of ["key", "symmetric"] as const)
    if (values[name] !== undefined)
      throw new CommandError(`--${name} goes with \`coffer instance rotate-key\`.`, 2);
  const [id = ""] = exactly(`instance ${verb}`, rest, ...(TAKE_AN_ID.includes(verb) ? ["an id"] : []));
  const { json } = values;
  await withClient(values, async ({ life }) => {
    if (verb === "revoke") {
      await life.revokeInstance(id);
      return tell(json, `${id} is revoked.`, { instance: id });
    }
    if (verb === "remove-passkey") {
      await life.removePasskey(id);
      return tell(json, `${shown(id)} is removed.`, { passkey: id });
    }
    if (verb === "passkeys") {
      const passkeys = await life.passkeys();
      const lines = passkeys.map(({ id, tier, registered }) => `${id}  ${tier}  ${dateOf(registered)}`);
      return tell(json, lines.join("\n"), passkeys);
    }
    const instances = await life.instances();
    const lines = instances.map(
      ({ id, status, tier, notAfter, origin }) =>
        `${id}  ${status.padEnd(7)}  ${tier.padEnd(8)}  ${dateOf(notAfter)}  ${shown(origin)}`,
    );
    tell(json, lines.join("\n"), instances);
  });
  return 0;
}

type RotateKeyValues = SessionValues & {
  json: boolean;
  key?: string | undefined;
  symmetric?: string | undefined;
};

/** `coffer instance rotate-key` */
async function rotateKey(path: string, values: RotateKeyValues): Promise<number> {
  const { json, key, symmetric, ...session } = values;
  const passphrase = process.env[APP_KEY_PASSPHRASE];
  if (passphrase === undefined)
    throw new CommandError(`The passphrase of ${path} is to be in ${APP_KEY_PASSPHRASE}.`, 2);
  const place = appKeyFile(path);
  // One that is mistyped would be made.
  if ((await place.read()) === undefined) throw new CommandError(`There is no app-specific key in ${path}.`);
  const instance = {
    ...keepAppKey(place, passphrase),
    ...(symmetric !== undefined && { symmetricKey: keepSymmetricKey(symmetricKeyFile(resolve(symmetric))) }),
  };
  const by = key === undefined ? session : { ...session, "client-key": key };
  await withClient({ ...by, instance }, async (connected) => {
    await connected.life.rotateAppKey();
    tell(json, `${path} holds another app-specific key.`, { file: path });
  });
  return 0;
}
