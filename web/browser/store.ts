/** What the browser keeps between page loads: the sign-in, beside the key that it is bound to. In IndexedDB. */

import type { DBSchema } from "idb";
import type { PendingSignIn, SignIn, SignInStore } from "../client/index.ts";
import { databaseOf } from "./database.ts";
import { forgetLists } from "./lists.ts";

interface Schema extends DBSchema {
  "sign-in": { key: string; value: SignIn };
  pending: { key: string; value: PendingSignIn };
}

const PENDING_LIFE = 60 * 60 * 1000;

/** The store of the browser: database `coffer-custodian`, version 1. */
export function createSignInStore(now: () => number = Date.now): SignInStore {
  const database = databaseOf<Schema>("coffer-custodian", (db) => {
    db.createObjectStore("sign-in");
    db.createObjectStore("pending", { keyPath: "state" });
  });
  return {
    read: async (vault) => (await database()).get("sign-in", vault),
    write: async (vault, signIn) => void (await (await database()).put("sign-in", signIn, vault)),
    clear: async (vault) => {
      // What they were sealed under ends with the sign-in; where they cannot be deleted the sign-out goes on.
      await forgetLists(vault).catch(() => {});
      await (await database()).delete("sign-in", vault);
    },
    begin: async (pending) => {
      const transaction = (await database()).transaction("pending", "readwrite");
      for (const old of await transaction.store.getAll()) {
        if (old.created < now() - PENDING_LIFE) await transaction.store.delete(old.state);
      }
      await transaction.store.put(pending);
      await transaction.done;
    },
    take: async (state) => {
      const transaction = (await database()).transaction("pending", "readwrite");
      const pending = await transaction.store.get(state);
      await transaction.store.delete(state);
      await transaction.done;
      return pending && pending.created >= now() - PENDING_LIFE ? pending : undefined;
    },
  };
}
