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

/** A host in which a person signs in by going to the vault's page and coming back. */
export interface SignInHost extends Host {
  /** Takes the answer of a sign-in out of the address that led here, so that it is found once; undefined when there is none. */
  takeAnswer(): URLSearchParams | undefined;
  /** Goes to the vault's page. Does not return. */
  leave(url: string): Promise<never>;
  /** Ends this app's sign-ins at the vault, which knows them by its cookie. Does not fail. */
  endSession(url: URL): Promise<void>;
  /** Others of this app in the same browser: tells them that the sign-in has ended, and is told. */
  tell(): void;
  onTold(listener: () => void): void;
}
