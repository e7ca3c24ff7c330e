import { join } from "node:path";
import { parseArgs } from "node:util";
import { isSystemError, makeFolder, sentenceOf, writeWhole } from "#files/index.ts";
import { encodeBase64url } from "#protocol/base64url.ts";
import { seal, wrapRawAes } from "#protocol/envelope/index.ts";
import { CofferError } from "#protocol/error.ts";
import type { Document } from "#web/client/document-list.ts";
import { messageOf } from "#web/client/error.ts";
import type { Client } from "./client.ts";
import { CommandError } from "./command-error.ts";
import { newFile } from "./destination.ts";
import { exportFileName } from "./export-file-name.ts";
import { interruptSignal } from "./interrupt.ts";
import { jsonLine } from "./json-line.ts";
import { writeInto } from "./open.ts";
import { print } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { progressBar } from "./progress-bar.ts";
import { SESSION_HELP, sessionOptions, withClient } from "./session-options.ts";
import { shown } from "./shown.ts";

export const EXPORT_HELP = `coffer export --all --to FOLDER: take all documents out

Without --release-key: each document decrypted here, as a plain file under its own name.
With --release-key: each document as a sealed message (NAME.esdk) under one new key, which is written
beside them (export-key.json, readable by you alone). Any AWS Encryption SDK client opens the messages
with a Raw AES keyring of that key. Guard the folder: anyone who has the key file can read everything in it.

Names that some platform refuses are changed: _ replaces what cannot stay, and a number keeps two apart. Each
line of output is a document's id, a tab, and the file's name as it was written.

Either way the KMS is asked for each document before it is read, and writes an audit entry that names it: none
leaves without an entry, and an interrupted export has entries for what it took.

  --all           every document of yours (there is no other choice yet)
  --to FOLDER     created if needed; existing files are not replaced
  --release-key   seal again under a new key, as described above
  --json          one line of JSON per document: id, account, file
${SESSION_HELP}
Exit code: 0 all documents written, 1 at least one was not, 2 the command line is wrong.

Example: ${COFFER} export --all --to ~/coffer-exit --release-key
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
      json: { type: "boolean" },
    },
  });
  if (!values.all || !values.to)
    throw new CommandError("coffer export: say --all and --to FOLDER. Try --help.", 2);
  const folder = values.to;
  const signal = interruptSignal();
  return withClient(values, async (client) => {
    const accounts = client.identity.accounts.map(({ id }) => id);
    const documents = (await client.documents.list(accounts, { signal })).toReversed();
    if (documents.length === 0) throw new CommandError("There are no documents to export.");
    makeFolder(folder);
    const key = values["release-key"] ? await releaseKey(folder) : undefined;
    const taken = new Set<string>();
    let written = 0;
    for (const document of documents) {
      if (signal.aborted) break;
      const name = exportFileName(document, taken, key ? ".esdk" : "");
      try {
        await client.orderExport(document.account, [document.id]);
        await exportOne(client, document, join(folder, name), key, signal);
      } catch (error) {
        if (signal.aborted) break;
        process.stderr.write(`${name}: ${reasonOf(error)}\n`);
        if (endsAll(error)) break;
        continue;
      }
      written++;
      const { id, account } = document;
      await print(values.json ? jsonLine({ id, account, file: name }) : `${id}\t${name}\n`);
    }
    process.stderr.write(`Exported ${written} of ${documents.length} documents to ${shown(folder)}.\n`);
    // A cancellation that came after the last document has cancelled nothing.
    if (signal.aborted && written < documents.length)
      process.stderr.write("Cancelled; nothing that is incomplete was left behind.\n");
    return written === documents.length ? 0 : 1;
  });
}

/** Whether the next document would fail in the same way: there is no server, no sign-in, or no room. */
function endsAll(error: unknown): boolean {
  if (error instanceof CofferError) return error.code === "offline" || error.code === "signed-out";
  return isSystemError(error) && error.code !== "EEXIST" && error.code !== "ENAMETOOLONG";
}

function reasonOf(error: unknown): string {
  if (error instanceof CofferError) return messageOf(error);
  return sentenceOf(error) ?? (error instanceof Error ? error.message : String(error));
}

async function exportOne(
  client: Client,
  document: Document,
  path: string,
  wrappingKey: CryptoKey | undefined,
  signal: AbortSignal,
): Promise<void> {
  const bar = progressBar(`Exporting ${shown(document.metadata?.name ?? document.id)}`);
  const opened = await client.documents.open(document.id, {
    account: document.account,
    signal,
    onProgress: ({ bytes, total }) => bar.update(bytes, total),
  });
  const stream = wrappingKey
    ? await sealAgain(opened.stream, document, opened.name, wrappingKey, signal)
    : opened.stream;
  await writeInto(await newFile(path, { force: false }), stream).finally(() => bar.end());
}

/** A header is never changed, so a document leaves under a new message with a data key of its own (docs/decisions/0007). */
async function sealAgain(
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
  await writeWhole(path, `${JSON.stringify(text, null, 2)}\n`).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
    throw new CommandError(`${path} is there already. Use a new folder.`);
  });
  const key = await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt"]);
  bytes.fill(0);
  return key;
}
