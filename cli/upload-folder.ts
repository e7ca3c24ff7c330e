/** Uploads that wait for the network, as files of a folder: ciphertext, which a process that starts later sends. */

import { openAsBlob } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder, readIfThere, WholeFile, whileLocked, writeWhole } from "#files/index.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { memoryUploadStore } from "#web/client/memory-upload-store.ts";
import { requireRoom, stays, type UploadStore, type WaitingUpload } from "#web/client/upload-store.ts";

type Kept = { owner: string; row: Omit<WaitingUpload, "metadata"> & { metadata: string } };

/**
 * A store of waiting uploads in this folder, which is made for its owner alone: of each a row (`.json`) and the ciphertext (`.sealed`), the row
 * last. Loaded keys end with the process, so what is put by of them stays in memory.
 */
export function uploadFolder(dir: string): UploadStore {
  const { keys, keepKeys, takeKey, ...memory } = memoryUploadStore();
  const rowFile = (id: string) => join(dir, `${id}.json`);
  const contentFile = (id: string) => join(dir, `${id}.sealed`);
  const locked = <T>(work: () => Promise<T>) => whileLocked(dir, "rows", work);
  const write = (owner: string, row: WaitingUpload, replace: boolean) => {
    const kept: Kept = { owner, row: { ...row, metadata: encodeBase64url(row.metadata) } };
    return writeWhole(rowFile(row.id), JSON.stringify(kept), { replace });
  };
  const read = async (id: string): Promise<{ owner: string; row: WaitingUpload } | undefined> => {
    const text = await readIfThere(rowFile(id));
    if (text === undefined) return undefined;
    const { owner, row } = JSON.parse(text) as Kept;
    return { owner, row: { ...row, metadata: decodeBase64url(row.metadata) } };
  };
  /** Names of files of this ending, without it. */
  const named = async (ending: string) => {
    makeFolder(dir);
    return (await readdir(dir)).flatMap((name) =>
      name.endsWith(ending) ? [name.slice(0, -ending.length)] : [],
    );
  };
  const rows = async (owner?: string) => {
    const kept = await Promise.all((await named(".json")).map(read));
    const own = kept.filter((each) => each !== undefined && (owner === undefined || each.owner === owner));
    return own.flatMap((each) => (each ? [each.row] : [])).sort((a, b) => a.created - b.created);
  };
  const remove = async (id: string) => {
    await rm(rowFile(id), { force: true });
    await rm(contentFile(id), { force: true });
  };
  return {
    ...{ keys, keepKeys, takeKey, rows },
    add: (owner, row, content) =>
      locked(async () => {
        requireRoom(await rows(owner), row.size);
        // What a process was adding when it ended.
        const whole = new Set(await named(".json"));
        for (const id of await named(".sealed")) if (!whole.has(id)) await remove(id);
        const file = await WholeFile.create(contentFile(row.id));
        try {
          for await (const chunk of content.stream() as ReadableStream<Uint8Array>) await file.write(chunk);
          await file.finish();
          await write(owner, row, false);
        } catch (error) {
          await file.discard();
          await remove(row.id);
          throw error;
        }
      }),
    update: (owner, id, change) =>
      locked(async () => {
        const there = await read(id);
        if (there?.owner !== owner) return false;
        await write(owner, { ...there.row, ...change } as WaitingUpload, true);
        return true;
      }),
    async content(owner, id) {
      return (await read(id))?.owner === owner ? openAsBlob(contentFile(id)) : undefined;
    },
    remove: (owner, id, as) =>
      locked(async () => {
        const there = await read(id);
        if (there?.owner !== owner) return undefined;
        if (!stays(there.row, as)) await remove(id);
        return there.row;
      }),
    async clear(owner) {
      await memory.clear(owner);
      await locked(async () => {
        for (const { id } of await rows(owner)) await remove(id);
      });
    },
    alone: (work) => whileLocked(dir, "sending", work),
  };
}
