import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { failureOf, type Hsm } from "../hsm/index.ts";
import type { Ledger } from "../hsm/keys/index.ts";
import type { AccountKey } from "../iam/types.ts";
import type { Recipient } from "../ra/types.ts";
import { type Result, refuse } from "../result.ts";
import type { Store } from "../store.ts";
import type { Trust } from "./trust.ts";

/** What the KMS needs of its neighbours. */
export interface Neighbours {
  IAM: { accountKey(of: { tenant: string; account: string; caller: Caller }): Promise<Result<AccountKey>> };
  RA: { recipient(of: { tenant: string; user: string; thumbprint: string }): Promise<Result<Recipient>> };
}

/** What the parts of the KMS work with; made by its object. */
export interface Context {
  store: Store;
  hsm: Hsm;
  ledger: Ledger;
  trust: Trust;
  neighbours: Neighbours;
}

/** Who asks, and about what: for the audit log. */
export type About = { caller: Caller; resource: string; requestId: string };

/** What went wrong at the HSM: the reason into the audit log, the kind of failure to the caller. */
export function failed({ store }: Context, action: string, about: About, error: unknown): Result<never> {
  const { code, reason } = failureOf(error);
  return authorize<never>(store, { ...about, action }, () => refuse(code, reason));
}
