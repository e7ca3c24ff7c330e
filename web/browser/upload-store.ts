/** Uploads that wait for the network, in the app's own IndexedDB: ciphertext alone. In a database of its own, opened when it is used first. */

import type { DBSchema } from "idb";
import {
  queueFull,
  requireRoom,
  stays,
  type UploadStore,
  type WaitingUpload,
} from "../client/upload-store.ts";
import { databaseOf } from "./database.ts";

/** What one tab tells the others. */
type Told = "added" | "changed" | { sent: string };
type Key = [vault: string, owner: string, id: string];

interface Schema extends DBSchema {
  uploads: { key: Key; value: WaitingUpload };
  contents: { key: Key; value: Blob };
  /** EDKs, by vault, owner, account and a random name. */
  keys: { key: [...Key, name: string]; value: string };
}

/** The store of the browser for one vault: database `coffer-uploads`, version 1. */
export function createUploadStore(vault: string): UploadStore {
  const database = databaseOf<Schema>("coffer-uploads", (db) => {
    for (const name of ["uploads", "contents", "keys"] as const) db.createObjectStore(name);
  });
  // A tab that stays sends what one that is closed has left, and shows what waits by now.
  const tabs = new BroadcastChannel(`coffer-uploads ${vault}`);
  const tell = (told: Told) => tabs.postMessage(told);
  // An array is greater than any text, and so than any key that begins in this way (Indexed Database API, "compare two keys").
  const below = (...begin: string[]) => IDBKeyRange.bound([vault, ...begin], [vault, ...begin, []]);
  return {
    async rows(owner) {
      const rows = await (await database()).getAll("uploads", below(owner));
      return rows.sort((a, b) => a.created - b.created);
    },
    async add(owner, row, content) {
      const key: Key = [vault, owner, row.id];
      const transaction = (await database()).transaction(["uploads", "contents"], "readwrite");
      try {
        requireRoom(await transaction.objectStore("uploads").getAll(below(owner)), row.size);
        await transaction.objectStore("contents").put(content, key);
        await transaction.objectStore("uploads").put(row, key);
        await transaction.done;
        tell("added");
      } catch (error) {
        // Told by what has failed.
        transaction.done.catch(() => {});
        try {
          transaction.abort();
        } catch {}
        const full = error instanceof DOMException && error.name === "QuotaExceededError";
        throw full ? queueFull(error) : error;
      }
    },
    async update(owner, id, change) {
      const { store, done } = (await database()).transaction("uploads", "readwrite");
      const key: Key = [vault, owner, id];
      const row = await store.get(key);
      if (row) await store.put({ ...row, ...change } as WaitingUpload, key);
      await done;
      if (row) tell("changed");
      return row !== undefined;
    },
    content: async (owner, id) => (await database()).get("contents", [vault, owner, id]),
    async remove(owner, id, as) {
      const transaction = (await database()).transaction(["uploads", "contents"], "readwrite");
      const key: Key = [vault, owner, id];
      const row = await transaction.objectStore("uploads").get(key);
      const gone = row && !stays(row, as);
      if (gone)
        for (const name of ["uploads", "contents"] as const) await transaction.objectStore(name).delete(key);
      await transaction.done;
      if (gone) tell(as === "sent" ? { sent: id } : "changed");
      return row;
    },
    keys: async (owner, account) => (await database()).getAll("keys", below(owner, account)),
    async keepKeys(owner, account, edks, ended = []) {
      const { store, done } = (await database()).transaction("keys", "readwrite");
      const kept = await store.openCursor(below(owner, account));
      for (let at = kept; at; at = await at.continue()) if (ended.includes(at.value)) await at.delete();
      for (const edk of edks) await store.put(edk, [vault, owner, account, crypto.randomUUID()]);
      await done;
    },
    async takeKey(owner, account) {
      const { store, done } = (await database()).transaction("keys", "readwrite");
      const cursor = await store.openCursor(below(owner, account));
      await cursor?.delete();
      await done;
      return cursor?.value;
    },
    async clear(owner) {
      const range = owner === undefined ? below() : below(owner);
      const transaction = (await database()).transaction(["uploads", "contents", "keys"], "readwrite");
      for (const name of ["uploads", "contents", "keys"] as const)
        await transaction.objectStore(name).delete(range);
      await transaction.done;
      tell("changed");
    },
    alone: (work) => navigator.locks.request(`coffer-uploads ${vault}`, work),
    isAway: () => !navigator.onLine,
    onWake(listener) {
      addEventListener("online", listener);
      tabs.addEventListener("message", ({ data }: MessageEvent<Told>) => data === "added" && listener());
    },
    onChange: (listener) =>
      tabs.addEventListener("message", ({ data }: MessageEvent<Told>) =>
        listener(typeof data === "object" ? data.sent : undefined),
      ),
  };
}
