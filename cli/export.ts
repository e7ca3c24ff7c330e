import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { encodeBase64url } from "#protocol/base64url.ts";
import { seal, wrapRawAes } from "#protocol/envelope/index.ts";
import type { Document } from "#web/custodian/documents.ts";
import type { Client } from "./client.ts";
import { CommandError } from "./command-error.ts";
import { exportFileName } from "./export-file-name.ts";
import { interruptSignal } from "./interrupt.ts";
import { writeVerified } from "./open.ts";
import { progressBar } from "./progress-bar.ts";
import { SESSION_HELP, sessionOptions, withClient } from "./session-options.ts";

export const EXPORT_HELP = `coffer export --all --to FOLDER: take all documents out

Without --release-key: each document decrypted here, as a plain file under its own name.
With --release-key: each document as a sealed message (NAME.esdk) under one new key, which is written
beside them (export-key.json, readable by you alone). Any AWS Encryption SDK client opens the messages
with a Raw AES keyring of that key. Guard the folder: whoever has the key file can read everything in it.

Either way the order is sent to the KMS first, which writes one audit entry for each document.

  --all           every document of yours (what else there is to choose comes later)
  --to FOLDER     made when it is not there; files that are there are not replaced
  --release-key   seal anew under a key of your own, as said above
${SESSION_HELP}
Example: coffer export --all --to ~/coffer-exit --release-key
`;

const NAMESPACE = "coffer-export";
const NAME = "export";

/** `coffer export --all` */
export async function exportAll(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      ...sessionOptions,
      all: { type: "boolean" },
      to: { type: "string" },
      "release-key": { type: "boolean" },
    },
  });
  if (!values.all || values.to === undefined)
    throw new CommandError("coffer export: say --all and --to FOLDER. Try --help.", 2);
  const folder = values.to;
  const signal = interruptSignal();
  return withClient(values, async (client) => {
    const accounts = client.identity.accounts.map(({ id }) => id);
    const documents = (await client.documents.list(accounts, { signal })).toReversed();
    if (documents.length === 0) throw new CommandError("There are no documents to export.");
    for (const account of accounts) {
      const ids = documents.filter((document) => document.account === account).map(({ id }) => id);
      if (ids.length > 0) await client.orderExport(account, ids);
    }
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const key = values["release-key"] ? await releaseKey(folder) : undefined;
    const taken = new Set<string>();
    let failed = 0;
    for (const document of documents) {
      const name = exportFileName(document, taken);
      try {
        await exportOne(client, document, join(folder, key ? `${name}.esdk` : name), key, signal);
        process.stdout.write(`${document.id}\t${name}\n`);
      } catch (error) {
        signal.throwIfAborted();
        failed++;
        process.stderr.write(`${name}: ${error instanceof Error ? error.message : error}\n`);
      }
    }
    process.stderr.write(
      `Exported ${documents.length - failed} of ${documents.length} documents to ${folder}.\n`,
    );
    return failed === 0 ? 0 : 1;
  });
}

async function exportOne(
  client: Client,
  document: Document,
  path: string,
  wrappingKey: CryptoKey | undefined,
  signal: AbortSignal,
): Promise<void> {
  const bar = progressBar(`Exporting ${document.metadata?.name ?? document.id}`);
  const opened = await client.documents.open(document.id, {
    account: document.account,
    signal,
    onProgress: ({ bytes, total }) => bar.update(bytes, total),
  });
  const stream = wrappingKey
    ? await sealAnew(opened.stream, document, opened.name, wrappingKey, signal)
    : opened.stream;
  await writeVerified(path, stream, false).finally(() => bar.end());
}

/** A header is never changed, so a document leaves under a new message with a data key of its own (docs/decisions/0007). */
async function sealAnew(
  source: ReadableStream<Uint8Array<ArrayBuffer>>,
  { id }: Document,
  name: string,
  key: CryptoKey,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  const { subtle } = crypto;
  const context = { document: id, name };
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const encryptedDataKey = await wrapRawAes(
    subtle,
    { namespace: NAMESPACE, name: NAME, key },
    bytes,
    context,
    iv,
  );
  const dataKey = await subtle.importKey("raw", bytes, "HKDF", false, ["deriveKey"]);
  bytes.fill(0);
  return seal(source, {
    subtle,
    random: (array) => crypto.getRandomValues(array),
    dataKey,
    context,
    encryptedDataKeys: [encryptedDataKey],
    signal,
  });
}

/** Makes the key of this export and writes it down: this, and only this, is a key that leaves. */
async function releaseKey(folder: string): Promise<CryptoKey> {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  const text = {
    about: "Opens the .esdk files in this folder: AWS Encryption SDK, Raw AES keyring, AES-256-GCM",
    keyNamespace: NAMESPACE,
    keyName: NAME,
    key: encodeBase64url(bytes),
  };
  const path = join(folder, "export-key.json");
  await writeFile(path, `${JSON.stringify(text, null, 2)}\n`, { mode: 0o600, flag: "wx" }).catch(() => {
    throw new CommandError(`${path} cannot be written or is there already. Use a new folder.`);
  });
  const key = await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt"]);
  bytes.fill(0);
  return key;
}
