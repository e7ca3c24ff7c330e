/** What the client needs of where it runs, and hosts do differently. The rest is WebCrypto, streams and URLs, which all have. */

import type { Lock } from "./session.ts";
import type { SignInStore } from "./sign-in.ts";
import type { Vault } from "./vault.ts";

/** A page, a worker, a process. */
export interface Host {
  /** Origin of the app. */
  app: string;
  fetch: typeof fetch;
  /** Milliseconds since the epoch. */
  now: () => number;
  lock: Lock;
  store: SignInStore;
  /** Opens the vault; `patience`: how long it may take, milliseconds. */
  openVault: (patience?: number) => Promise<Vault>;
}
