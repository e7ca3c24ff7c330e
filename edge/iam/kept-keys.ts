/**
 * Where Enc(account) is (W15): in the account's own row, or elsewhere, and then the row has no key bytes and `account_key_places` says
 * where. A key is read from where it was put, whatever is configured by now; a new one goes where the configuration says.
 */

import { digest } from "#protocol/digest.ts";
import { authorize } from "../authorize.ts";
import { type AccountKeyPlace, configuredAccountKeyPlace } from "../places.ts";
import { fail, ok, type Result, refuse } from "../result.ts";
import type { Store } from "../store.ts";
import type { AccountKey } from "./types.ts";

/** A part of the migrations of an account's object: of keys that are not in their rows. */
export const PLACES_TABLE = `
  CREATE TABLE account_key_places (
    id TEXT NOT NULL, master TEXT NOT NULL, place TEXT NOT NULL, PRIMARY KEY (id, master)
  ) STRICT, WITHOUT ROWID;
`;

/** A part of them too: SHA-256 of each Enc(account) that was kept, base64url, wherever it is. */
export const DIGESTS_TABLE = `
  CREATE TABLE account_key_digests (
    id TEXT NOT NULL, master TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (id, master)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX account_keys_by_digest ON account_key_digests (digest);
`;

type Key = Pick<AccountKey, "id" | "wrapped" | "master">;
type Of = { tenant: string; account: string };
type Named = Of & { name: string; requestId: string };

/** The datastore, as it keeps things for the IAM. */
export interface Keeping {
  keep(of: Named & { value: Uint8Array<ArrayBuffer> }): Promise<Result<null>>;
  kept(of: Named): Promise<Result<Uint8Array<ArrayBuffer> | null>>;
  forget(of: Named): Promise<Result<null>>;
}

export class KeptKeys {
  readonly #env: Env;
  readonly #store: Store;
  readonly #sql: SqlStorage;
  readonly #of: Of;

  constructor(env: Env, store: Store, of: Of) {
    this.#env = env;
    this.#store = store;
    this.#sql = store.sql;
    this.#of = of;
  }

  /** Puts a key where the configuration says. What is returned is for its row. */
  async put<K extends Key>(key: K, requestId: string): Promise<Result<K>> {
    this.#note(key, await digest(key.wrapped));
    const { COFFER_ACCOUNT_KEYS, COFFER_IAM_IN } = this.#env;
    const place = configuredAccountKeyPlace({ COFFER_ACCOUNT_KEYS, COFFER_IAM_IN });
    if (place === "iam") return ok(key);
    const { name, wrapped: value } = { name: nameOf(key), ...key };
    const kept = await this.#keeping(place).keep({ ...this.#of, name, value, requestId });
    if (!kept.ok) return kept;
    this.#sql.exec("INSERT OR REPLACE INTO account_key_places VALUES (?, ?, ?)", key.id, key.master, place);
    return ok({ ...key, wrapped: new Uint8Array() });
  }

  /**
   * The key with its bytes. Errors: `not-found` where they are not where they were put, or others are: whoever keeps them cannot bring an older
   * key back.
   */
  async whole<K extends Key>(key: K, requestId: string): Promise<Result<K>> {
    const place = this.#placeOf(key);
    if (place === "iam" || key.wrapped.length > 0) return ok(key);
    const kept = await this.#keeping(place).kept({ ...this.#of, name: nameOf(key), requestId });
    if (!kept.ok) return kept;
    if (kept.value === null) return fail("not-found");
    const [found, due] = [await digest(kept.value), this.#digestOf(key)];
    // Of an earlier release there is none: what comes first is what was kept.
    if (due === null) this.#note(key, found);
    if (due !== null && found !== due) return this.#refuse(place, requestId);
    return ok({ ...key, wrapped: kept.value });
  }

  #refuse(place: AccountKeyPlace, requestId: string): Result<never> {
    const resource = `account/${this.#of.account}`;
    const about = { action: "iam:account-key-from-store", caller: null, resource, requestId };
    return authorize<never>(this.#store, about, () =>
      refuse("not-found", `${place} gave another account key than it was given`),
    );
  }

  #note({ id, master }: Pick<Key, "id" | "master">, bytes: string): void {
    this.#sql.exec("INSERT OR REPLACE INTO account_key_digests VALUES (?, ?, ?)", id, master, bytes);
  }

  #digestOf({ id, master }: Pick<Key, "id" | "master">): string | null {
    const [row] = this.#sql
      .exec<{ digest: string }>(
        "SELECT digest FROM account_key_digests WHERE id = ? AND master = ?",
        ...[id, master],
      )
      .toArray();
    return row?.digest ?? null;
  }

  /** A key under an earlier master key, once its row has the new one. */
  async forget(key: Pick<Key, "id" | "master">, requestId: string): Promise<void> {
    const place = this.#placeOf(key);
    if (place === "iam") return;
    const forgotten = await this.#keeping(place).forget({ ...this.#of, name: nameOf(key), requestId });
    if (forgotten.ok)
      this.#sql.exec("DELETE FROM account_key_places WHERE id = ? AND master = ?", key.id, key.master);
  }

  #placeOf({ id, master }: Pick<Key, "id" | "master">): AccountKeyPlace {
    const [row] = this.#sql
      .exec<{ place: AccountKeyPlace }>(
        "SELECT place FROM account_key_places WHERE id = ? AND master = ?",
        ...[id, master],
      )
      .toArray();
    return row?.place ?? "iam";
  }

  #keeping(place: AccountKeyPlace): Keeping {
    const datastore: Keeping = this.#env.DATASTORE_FOR_IAM;
    return place === "datastore" ? datastore : storeOf(this.#env);
  }
}

/** The store that has Enc(account) and nothing else. */
export function storeOf({
  IAM_ACCOUNT_KEY_OBJECT,
}: Env): Keeping & { shredded(of: Of & { requestId: string }): Promise<Result<null>> } {
  const object = ({ tenant, account }: Of) => IAM_ACCOUNT_KEY_OBJECT.getByName(`${tenant}/keys/${account}`);
  return {
    keep: async ({ name, value, requestId, ...of }) => object(of).keep(name, value, requestId),
    kept: async ({ name, ...of }) => ok(await object(of).kept(name)),
    forget: async ({ name, requestId, ...of }) => object(of).forget(requestId, name),
    shredded: async ({ requestId, ...of }) => object(of).shredded(requestId),
  };
}

/** By its master key too: while a key moves under another one, both are there. */
function nameOf({ id, master }: Pick<Key, "id" | "master">): string {
  return `account-key/${id}/${master}`;
}
