import { masterKeyName } from "#protocol/hierarchy/index.ts";
import { type Hsm, UnexpectedAnswer } from "../hsm/index.ts";
import { type Ledger, makeUnder, runBatch, wrappedKeys } from "../hsm/keys/index.ts";
import type { AccountKey } from "./types.ts";

/** Unique identifier of the tenant's master key (class `master`) at the HSM; throws if the tenant has none (M5). */
export function masterKey(hsm: Pick<Hsm, "locate">, tenant: string): Promise<string> {
  return hsm.locate(masterKeyName(tenant));
}

/**
 * W11: has the HSM make an account key, gives it back encrypted under the master key and leaves nothing behind. The key's
 * bytes never leave the HSM in clear. Throws unless every item succeeded.
 */
export async function createAccountKey(
  hsm: Hsm,
  ledger: Ledger,
  master: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const answers = await runBatch(hsm, ledger, (name) =>
    makeUnder(master, { class: "account", name: name() }),
  );
  const [wrapped] = wrappedKeys(answers);
  if (!wrapped) throw new UnexpectedAnswer("the HSM gave no account key");
  return wrapped;
}

/** The current key of the account whose object this is, or null. */
export function currentAccountKey(sql: SqlStorage): AccountKey | null {
  const [row] = sql
    .exec<{ id: string; version: number; wrapped: ArrayBuffer; master: string }>(
      "SELECT id, version, wrapped, master FROM account_keys ORDER BY version DESC LIMIT 1",
    )
    .toArray();
  return row === undefined ? null : { ...row, wrapped: new Uint8Array(row.wrapped) };
}
