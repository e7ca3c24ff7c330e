import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { CommandError } from "./command-error.ts";

/** The environment variable with the passphrase of a client's key: an argument could be seen by everybody. */
export const PASSPHRASE_VARIABLE = "COFFER_KEY_PASSPHRASE";

/**
 * A client's private key in PEM, decrypted if it is encrypted: by the passphrase in the file (one line), else by that in
 * the environment.
 */
export function clientKey(pem: string, passphraseFile: string | undefined): string {
  return openedKey(pem, passphraseOf(passphraseFile));
}

/** The same by the passphrase itself, or by none. */
export function openedKey(pem: string, passphrase: string | undefined): string {
  try {
    const key = createPrivateKey({ key: pem, ...(passphrase === undefined ? {} : { passphrase }) });
    return key.export({ format: "pem", type: "pkcs8" }) as string;
  } catch (error) {
    if (!pem.includes("ENCRYPTED")) throw new CommandError("--key: this is no private key in PEM.");
    if (passphrase === undefined || (error as { code?: string }).code === "ERR_MISSING_PASSPHRASE")
      throw new CommandError(
        `--key: the key is encrypted. Give its passphrase with --passphrase-file FILE or in ${PASSPHRASE_VARIABLE}.`,
      );
    throw new CommandError("--key: the passphrase does not open the key, or the key is damaged.");
  }
}

function passphraseOf(file: string | undefined): string | undefined {
  if (file === undefined) return process.env[PASSPHRASE_VARIABLE];
  try {
    return lineIn(readFileSync(file, "utf8"));
  } catch {
    throw new CommandError(`--passphrase-file: ${file} cannot be read.`);
  }
}

/** A passphrase or password as it stands in a file, whose one line it is. */
export function lineIn(text: string): string {
  return text.replace(/\r?\n$/, "");
}
