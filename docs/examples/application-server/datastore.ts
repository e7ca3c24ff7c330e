/** The server's own datastore: a folder, which nobody but this server reaches. */

import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";

type Place = { account: string; document: string };

export class Datastore {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Whole or not at all: a document that failed to seal leaves the one before it. */
  async put({ account, document }: Place, content: ReadableStream<Uint8Array>): Promise<void> {
    const folder = join(this.#dir, encodeURIComponent(account));
    await mkdir(folder, { recursive: true });
    const part = join(folder, `${crypto.randomUUID()}.part`);
    try {
      await using file = await open(part, "wx", 0o600);
      for await (const chunk of content) await file.writeFile(chunk);
      await file.sync();
      await rename(part, join(folder, document));
    } catch (error) {
      await rm(part, { force: true });
      throw error;
    }
  }

  async get({ account, document }: Place): Promise<ReadableStream<Uint8Array> | undefined> {
    const file = await open(join(this.#dir, encodeURIComponent(account), document)).catch(() => undefined);
    return file && (Readable.toWeb(createReadStream("", { fd: file })) as ReadableStream<Uint8Array>);
  }
}
