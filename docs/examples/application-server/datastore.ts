/** The server's own datastore: a folder, which nobody but this server reaches. */

import { createReadStream } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { WholeFile } from "#files/index.ts";

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
    const file = await WholeFile.create(join(folder, document), { replace: true });
    try {
      for await (const chunk of content) await file.write(chunk);
      await file.finish();
    } catch (error) {
      await file.discard();
      throw error;
    }
  }

  async get({ account, document }: Place): Promise<ReadableStream<Uint8Array> | undefined> {
    const file = await open(join(this.#dir, encodeURIComponent(account), document)).catch(() => undefined);
    if (!file) return undefined;
    return Readable.toWeb(createReadStream("", { fd: file })) as ReadableStream<Uint8Array>;
  }
}
