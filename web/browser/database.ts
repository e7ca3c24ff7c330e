/** How a store of the browser opens its database of IndexedDB, through idb: when it is used first, and again when it was closed. */

import { type DBSchema, type IDBPDatabase, openDB } from "idb";

/** Of version 1. One that could not be opened is opened by the next call. */
export function databaseOf<S extends DBSchema>(
  name: string,
  create: (database: IDBPDatabase<S>) => void,
): () => Promise<IDBPDatabase<S>> {
  let opened: Promise<IDBPDatabase<S>> | undefined;
  const forget = () => {
    opened = undefined;
  };
  return () => {
    if (opened) return opened;
    opened = openDB<S>(name, 1, {
      upgrade: create,
      // A newer version of the page in another tab must not wait for this one.
      blocking: (_current, _blocked, event) => {
        (event.target as IDBDatabase).close();
        forget();
      },
      terminated: forget,
    });
    opened.catch(forget);
    return opened;
  };
}
