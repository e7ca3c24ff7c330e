/** Where a browser keeps sealed lists over a reload, in IndexedDB. They go when the sign-in ends (store.ts). */

import type { ListStore } from "../client/index.ts";

/** By vault and account. */
const STORE = "lists";

/** Of one vault: database `coffer-lists`, version 1. */
export function listsOf(vault: string): ListStore {
  return {
    read: (account) => within("readonly", (lists) => lists.get([vault, account])),
    write: (account, bytes) =>
      unlessHeld(`coffer-list ${vault} ${account}`, async () => {
        const made = await bytes();
        if (made) await within("readwrite", (lists) => lists.put(made, [vault, account]));
      }),
    alone: (account, work) => unlessHeld(`coffer-copies ${vault} ${account}`, work),
  };
}

function unlessHeld(name: string, work: () => Promise<void>): Promise<void> {
  return navigator.locks.request(name, { ifAvailable: true }, async (lock) => {
    if (lock) await work();
  });
}

/** Deletes those of all accounts of a vault. */
export async function forgetLists(vault: string): Promise<void> {
  // Arrays of keys are in order of their parts, and an array comes after any string.
  await within("readwrite", (lists) => lists.delete(IDBKeyRange.bound([vault], [vault, []])));
}

/** Opened for one act: it can be deleted at any other time. */
async function within<T>(
  mode: IDBTransactionMode,
  act: (lists: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const opening = indexedDB.open("coffer-lists", 1);
  opening.onupgradeneeded = () => void opening.result.createObjectStore(STORE);
  const database = await settled(opening);
  database.onversionchange = () => database.close();
  try {
    return await settled(act(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
