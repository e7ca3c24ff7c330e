import { BackEndRefused } from "#edge/hsm/index.ts";
import { TransportError, tlsTransport } from "#kmip-node/index.ts";
import { createKmipClient, type Exchange, type KmipClient, KmipError } from "#protocol/kmip/index.ts";
import { lineIn, openedKey, PASSPHRASE_VARIABLE } from "./client-key.ts";
import { CommandError } from "./command-error.ts";
import { expectOneInput, readNamed } from "./input.ts";
import { NoMasterKey, OtherKind, OtherLevel } from "./master-key.ts";
import { portOption } from "./ports.ts";
import { NotRecoverable } from "./recovery-key.ts";

/** The officer's connection to an HSM, for the commands that need it. */

export const OFFICER_OPTIONS = {
  host: { type: "string", default: "127.0.0.1" },
  port: { type: "string" },
  ca: { type: "string" },
  cert: { type: "string" },
  key: { type: "string" },
  "passphrase-file": { type: "string" },
} as const;

export const OFFICER_HELP = `  --host NAME       the HSM's address                        (127.0.0.1)
  --port N          its KMIP port, TTLV over TLS             (5696)
  --ca FILE         certificate of its authority, PEM
  --cert FILE       the officer's certificate, PEM
  --key FILE        the officer's private key, PEM
  --passphrase-file FILE
                    passphrase of that key, if it is encrypted; or in COFFER_KEY_PASSPHRASE. One of these files can be -,
                    standard input`;

type Values = { [Name in keyof typeof OFFICER_OPTIONS]?: string | undefined };

/** The files that are read for it, of which one can be standard input. */
export function officerFiles(values: Values): (string | undefined)[] {
  return [values.ca, values.cert, values.key, values["passphrase-file"]];
}

/** Does this with a client of the officer's; throws `CommandError` for what the HSM refuses. */
export async function asOfficer<T>(
  values: Values,
  work: (hsm: KmipClient, exchange: Exchange) => Promise<T>,
): Promise<T> {
  expectOneInput(...officerFiles(values));
  const transport = tlsTransport({
    host: values.host ?? OFFICER_OPTIONS.host.default,
    port: portOption(values.port, "--port") ?? 5696,
    ca: await pem(values.ca, "--ca"),
    cert: await pem(values.cert, "--cert"),
    key: openedKey(await pem(values.key, "--key"), await passphraseOf(values["passphrase-file"])),
  });
  try {
    return await work(createKmipClient(transport), transport.exchange);
  } catch (error) {
    const known = [TransportError, BackEndRefused, OtherKind, OtherLevel, NoMasterKey, NotRecoverable];
    if (error instanceof Error && known.some((kind) => error instanceof kind))
      throw new CommandError(`${error.message}.`);
    if (error instanceof KmipError)
      throw new CommandError(`The HSM refused: ${error.message} Is this the officer's certificate?`);
    throw error;
  } finally {
    transport.close();
  }
}

async function passphraseOf(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return process.env[PASSPHRASE_VARIABLE];
  return lineIn(await readNamed(path, { option: "--passphrase-file" }));
}

async function pem(path: string | undefined, option: string): Promise<string> {
  if (path === undefined) throw new CommandError(`${option} is needed: --help tells what for.`, 2);
  return readNamed(path, { option });
}
