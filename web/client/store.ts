/** What the custodian keeps between page loads: the sign-in, beside the key that it is bound to. In IndexedDB through idb. */

import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import type { DpopKey } from "./dpop.ts";

/** An account that the user may act for. */
export interface Account {
  id: string;
  name: string;
}

/** Who is signed in. */
export interface Identity {
  tenant: string;
  user: { id: string; name: string };
  accounts: Account[];
  /** Distinguished Name of this custodian, and its certificate over the DPoP key (base64url DER). */
  custodian: { dn: string; certificate: string };
}

/** A sign-in under way: written before the redirect, taken once after it. */
export interface PendingSignIn {
  state: string;
  verifier: string;
  key: DpopKey;
  redirectUri: string;
  /** Milliseconds since the epoch. */
  created: number;
}

/** A completed sign-in. The tokens are worthless without `key`, which cannot be read. */
export interface SignIn {
  key: DpopKey;
  accessToken: string;
  /** Milliseconds since the epoch. */
  expires: number;
  /** When the token should be renewed, milliseconds since the epoch. Sign-ins of earlier releases do not have it. */
  renew?: number;
  refreshToken: string;
  identity: Identity;
}

/** Where sign-ins are kept. Keyed by vault origin, so that two vaults never mix. */
export interface SignInStore {
  read(vault: string): Promise<SignIn | undefined>;
  write(vault: string, signIn: SignIn): Promise<void>;
  clear(vault: string): Promise<void>;
  begin(pending: PendingSignIn): Promise<void>;
  /** Returns and deletes; undefined when there is none, so that a redirect is answered once. */
  take(state: string): Promise<PendingSignIn | undefined>;
}

interface Schema extends DBSchema {
  "sign-in": { key: string; value: SignIn };
  pending: { key: string; value: PendingSignIn };
}

const PENDING_LIFE = 60 * 60 * 1000;

/** The store of the browser: database `coffer-custodian`, version 1. */
export function createSignInStore(now: () => number = Date.now): SignInStore {
  let opened: Promise<IDBPDatabase<Schema>> | undefined;
  const database = () => {
    opened ??= openDB<Schema>("coffer-custodian", 1, {
      upgrade(db) {
        db.createObjectStore("sign-in");
        db.createObjectStore("pending", { keyPath: "state" });
      },
      // A newer version of the page in another tab must not wait for this one.
      blocking: (_current, _blocked, event) => {
        (event.target as IDBDatabase).close();
        opened = undefined;
      },
      terminated: () => {
        opened = undefined;
      },
    });
    return opened;
  };
  return {
    read: async (vault) => (await database()).get("sign-in", vault),
    write: async (vault, signIn) => void (await (await database()).put("sign-in", signIn, vault)),
    clear: async (vault) => (await database()).delete("sign-in", vault),
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
