/** KMS and IAM as an instance at level `account` or `master` sees them (US 9,490,973 FIG. 3): what it asks each for, by itself. */

/** Which version of a data key: what a document's header names, and by what the KMS finds it. */
export type KeyIdentifier = {
  keyId: string;
  keyVersion: number;
  /** Under which account key it stands. */
  accountKey: { id: string; version: number };
};

/**
 * Enc(account) under the master key with the id `master`, base64url: AES Key Wrap, or of a pair, which has its `publicKey` (SPKI,
 * base64url) beside it, the private half as PKCS#8 by AES-GCM. Under a master key that is a pair: RSA-OAEP, or the same of a
 * content-encryption key, and the private half under that.
 */
export type WrappedAccountKey = {
  id: string;
  version: number;
  wrapped: string;
  master: string;
  publicKey?: string;
};

/**
 * Enc(master), or at level `account` Enc(account): RSA-OAEP to the instance, base64url, and the KMS's receipt for it. Of a pair
 * `wrappedKey` is the key that `privateKey` is encrypted under (PKCS#8 by AES-GCM), and the receipt is for both, one behind the other.
 */
export type ReleasedKey = {
  wrappedKey: string;
  receipt: string;
  privateKey?: string;
  /** A symmetric app-specific key that the instance did not hold, as it passed over the channel. */
  appKey?: { share: string; nonce: string; sealed: string };
  /** Of a receipt for an earlier challenge: what has it answer this one. */
  proof?: string;
};
/** The instance's share of that channel, and the id of such a key that it holds, or wants another for. */
export type AppKeyAsk = { share: string; held?: string; replaces?: string };
/** The same of an account key, with the public half of a pair. */
export type ReleasedAccountKey = ReleasedKey & { publicKey?: string };

/**
 * Wrapped by the account key of this id, base64url. With a second layer (W14): under which master key, and for which version, to
 * which it is bound.
 */
export type MadeDataKey = {
  wrappedKey: string;
  accountKey: string;
  layer?: { masterKey: string; keyVersion: number };
};

/** Each rejects with the code of the refusal, or `offline`. Nothing of what it answers is believed unverified. */
export type Authorities = {
  /** Sees to a token for the next request, so that there is one message at a time to tell of. */
  authorize?(): Promise<void>;
  /**
   * KMS. `challenge`: 32 random bytes, base64url, which the receipt answers, or the proof with it. `id`: an earlier master key, which the current
   * one has replaced.
   */
  masterKey(challenge: string, id: string | undefined, appKey: AppKeyAsk): Promise<ReleasedKey>;
  /** KMS, at level `account`: the current one, or that of this id. */
  releasedAccountKey(account: string, challenge: string, id?: string): Promise<ReleasedAccountKey>;
  /**
   * IAM: of the account's current data key, or of the one that a header names (`<keyId>.<keyVersion>`). `dataKeys`: what the tenant's data
   * keys are where that is not 256 bits (W1).
   */
  keyIdentifier(account: string, key?: string): Promise<KeyIdentifier & { dataKeys?: "RSA-3072" }>;
  /** IAM: the current one, or that of this id. */
  accountKey(account: string, id?: string): Promise<WrappedAccountKey>;
  /**
   * IAM: an account key that the instance has made: AES Key Wrap under the master key of the id `master`, base64url, in the place of the
   * one that it `replaces`. `conflict` where the account has another.
   */
  keepAccountKey(
    account: string,
    made: { wrapped: string; master: string; replaces?: string },
  ): Promise<{ id: string; version: number }>;
  /** KMS: Enc(data) as an EDK. */
  dataKey(account: string, key: string): Promise<string>;
  /** KMS, by the IAM's order: the next version, of a key that the instance has made. As an EDK. `conflict` where the next is another. */
  renewDataKey(account: string, made: MadeDataKey): Promise<string>;
  /** KMS: the account's list, as EDKs. */
  dataKeys(account: string): Promise<string[]>;
};
