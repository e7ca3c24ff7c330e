/** A sign-in, and where one is kept: by the host, since hosts differ in what they can keep. */

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
  /**
   * Distinguished Name of this custodian, and its certificate over the DPoP key (base64url DER). `chain`: its issuer's and the root's;
   * sign-ins of earlier releases do not have it.
   */
  custodian: { dn: string; certificate: string; chain?: string[] };
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

/** A store for the life of one process, of one sign-in. */
export function memorySignInStore(): SignInStore {
  let signIn: SignIn | undefined;
  let pending: PendingSignIn | undefined;
  return {
    read: async () => signIn,
    async write(_vault, written) {
      signIn = written;
    },
    async clear() {
      signIn = undefined;
    },
    async begin(begun) {
      pending = begun;
    },
    async take(state) {
      const taken = pending?.state === state ? pending : undefined;
      pending = undefined;
      return taken;
    },
  };
}
