import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { writeWhole } from "#files/index.ts";
import { TransportError, tlsTransport } from "#kmip-node/index.ts";
import { isTenantName } from "#protocol/hierarchy/index.ts";
import { createKmipClient, KmipError } from "#protocol/kmip/index.ts";
import { DEFAULT_LEVEL, isLevel, LEVELS } from "#protocol/level.ts";
import { bootstrap, OtherLevel } from "./bootstrap.ts";
import { clientKey } from "./client-key.ts";
import { CommandError } from "./command-error.ts";
import { COFFER } from "./parts/index.ts";
import { portOption } from "./ports.ts";
import { ROOT_KEY_FILE, rootKeyPem } from "./root-key.ts";

export const INIT_HELP = `coffer init: make a deployment's keys in its HSM

Connects to a KMIP 2.1 HSM as the officer and makes what is missing: certificate authorities, signing keys, the trust
list and a master key for each tenant. All of them are made inside the HSM and stay there. Writes the root key, which is
public: \`npm run deploy\`, in a clone of Coffer's repository, pins it in the microservice. Can be run again: what is there
stays as it is, and a tenant that is new gets its master key.

  --tenant NAME     a tenant's name, as in COFFER_TENANTS in wrangler.toml; may be given several times
  --level LEVEL     what their master keys are made for, for good: data, account or master  (${DEFAULT_LEVEL})
  --host NAME       the HSM's address                        (127.0.0.1)
  --port N          its KMIP port, TTLV over TLS             (5696)
  --ca FILE         certificate of its authority, PEM
  --cert FILE       the officer's certificate, PEM
  --key FILE        the officer's private key, PEM
  --passphrase-file FILE
                    passphrase of that key, if it is encrypted; or in COFFER_KEY_PASSPHRASE
  --root-key FILE   where the root key is written            (${ROOT_KEY_FILE})

Example: ${COFFER} init --tenant acme --host hsm.example --ca hsm-ca.pem --cert officer.pem --key officer.key
`;

/** `coffer init`: what the officer does once. */
export async function init(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      tenant: { type: "string", multiple: true },
      level: { type: "string", default: DEFAULT_LEVEL },
      host: { type: "string", default: "127.0.0.1" },
      port: { type: "string" },
      ca: { type: "string" },
      cert: { type: "string" },
      key: { type: "string" },
      "passphrase-file": { type: "string" },
      "root-key": { type: "string", default: ROOT_KEY_FILE },
    },
  });
  const { tenant: tenants = [], host } = values;
  if (tenants.length === 0 || !tenants.every(isTenantName))
    throw new CommandError("--tenant takes a name of up to 63 lower-case letters, digits and hyphens.", 2);
  const { level } = values;
  if (!isLevel(level)) throw new CommandError(`--level takes ${LEVELS.join(", ")}.`, 2);
  const transport = tlsTransport({
    host,
    port: portOption(values.port, "--port") ?? 5696,
    ca: await pem(values.ca, "--ca"),
    cert: await pem(values.cert, "--cert"),
    key: clientKey(await pem(values.key, "--key"), values["passphrase-file"]),
  });
  const keys = tenants.map((name) => ({ name, level }));
  const { rootKey } = await bootstrap(createKmipClient(transport), keys, new Date())
    .catch((error: unknown) => {
      if (error instanceof OtherLevel) throw new CommandError(`${error.message}.`);
      if (error instanceof TransportError) throw new CommandError(`${error.message}.`);
      if (error instanceof KmipError)
        throw new CommandError(`The HSM refused: ${error.message} Is this the officer's certificate?`);
      throw error;
    })
    .finally(() => transport.close());
  const path = resolve(values["root-key"]);
  await writeWhole(path, rootKeyPem(rootKey), { replace: true, mode: 0o644 });
  process.stdout.write(
    `Authorities, signing keys, trust list and the master key of ${tenants.join(", of ")} are in the HSM.\nThe root key is in ${path}. Next, in a clone of Coffer's repository: npm run deploy -- --root-key ${path} (docs/operations.md there)\n`,
  );
  return 0;
}

async function pem(path: string | undefined, option: string): Promise<string> {
  if (path === undefined)
    throw new CommandError(`${option} is needed: ${COFFER} init --help tells what for.`, 2);
  return readFile(path, "utf8").catch(() => {
    throw new CommandError(`${option}: ${path} cannot be read.`);
  });
}
