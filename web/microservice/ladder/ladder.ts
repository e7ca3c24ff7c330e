/**
 * The ladder in an instance at level `master` (US 9,490,973 FIG. 3 to 6): it asks KMS and IAM itself, verifies what it
 * gets, and unwraps master, account and data key in turn. At level `account` the same without the first rung. What it has
 * decrypted goes a set time after its last use (W7); encrypted copies have a life of their own.
 */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import { CofferError } from "#protocol/error.ts";
import {
  type Awaited,
  type Edk,
  edkProviderInfo,
  type TrustList,
  verifyAccountReceipt,
  verifyEdk,
  verifyMasterReceipt,
} from "#protocol/keys/index.ts";
import type { Level } from "#protocol/level.ts";
import type { Crypto } from "../crypto.ts";
import type { WrappingKey } from "../device.ts";
import { endOf, type LoadedKey } from "../ring.ts";
import type { Authorities, KeyIdentifier } from "./authorities.ts";
import { Held } from "./held.ts";
import {
  makeWrappedDataKey,
  type RungUsage,
  unwrapAccountKey,
  unwrapDataKey,
  unwrapReleasedKey,
} from "./links.ts";
import { Newest } from "./newest.ts";
import type { KeyName, Message, Step, Watch } from "./step.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type MasterCopy = { id: string; wrappedKey: Bytes };
/** Under the master key of the id `master`, or, at level `account`, to the instance itself. */
type AccountCopy = { id: string; version: number; wrapped: Bytes; master?: string };
type DataCopy = { jws: string; edk: Edk };
/** What a data key is unwrapped from: Enc(master), Enc(account), Enc(data). */
type Encrypted = { master?: MasterCopy | undefined; account: AccountCopy; data: DataCopy };

/** A data key, and the EDK that goes into the header of what is sealed under it. */
export type AccountDataKey = LoadedKey & { jws: string };

export type LadderOptions = {
  level: Exclude<Level, "data">;
  crypto: Crypto;
  authorities: Authorities;
  trust: TrustList;
  /** The app-specific key, and the certificate over it: whom the highest rung is encrypted to. */
  wrappingKey: WrappingKey;
  wrappingCertificate: Bytes;
  tenant: string;
  /** Milliseconds since 1970. */
  now(): number;
  schedule(task: () => void, delay: number): void;
  /** Milliseconds that a decrypted key stays in memory after its last use. */
  timeToLive: number;
  /** Milliseconds that an encrypted copy is used after it came. Default: one hour. */
  copiesTimeToLive?: number;
  /** Milliseconds after which the account's current key identifier is asked for again. Default: 30 seconds. */
  identifierTimeToLive?: number;
  watch?: Watch | undefined;
};

const HOUR = 60 * 60_000;
const HALF_A_MINUTE = 30_000;
/** Name of the one copy that there is. */
const MASTER = "master";

export class Ladder {
  readonly #options: LadderOptions;
  readonly #masterKeys: Held<CryptoKey>;
  readonly #accountKeys: Held<CryptoKey>;
  readonly #dataKeys: Held<AccountDataKey>;
  readonly #masterCopies: Held<MasterCopy>;
  readonly #accountCopies: Held<AccountCopy>;
  readonly #dataCopies: Held<DataCopy>;
  readonly #identifiers: Held<KeyIdentifier>;
  readonly #newest = new Newest();
  /** How often it was locked: what was under way then is for nobody. */
  #locked = 0;

  constructor(options: LadderOptions) {
    this.#options = options;
    const { now, copiesTimeToLive = HOUR, identifierTimeToLive = HALF_A_MINUTE } = options;
    const decrypted = (what: KeyName) => ({
      ...options,
      dropped: (name: string) => this.#watch({ step: "drop", what, ...named(name) }),
    });
    /** However often it is used. */
    const from = (timeToLive: number) => ({
      ...options,
      timeToLive: Infinity,
      expires: () => now() + timeToLive,
    });
    this.#masterKeys = new Held(decrypted("master key"));
    this.#accountKeys = new Held(decrypted("account key"));
    this.#dataKeys = new Held<AccountDataKey>({ ...decrypted("data key"), expires: endOf });
    this.#masterCopies = new Held(from(copiesTimeToLive));
    this.#accountCopies = new Held(from(copiesTimeToLive));
    this.#dataCopies = new Held(from(copiesTimeToLive));
    this.#identifiers = new Held(from(identifierTimeToLive));
  }

  /**
   * Fetches Enc(master) and knows the KMS by it: at start-up, before any request (W4). At level `account` there is nothing that
   * is no account's; the KMS shows with the first Enc(account). Throws `key-refused`.
   */
  async start(): Promise<void> {
    await this.#encryptedMaster();
  }

  /** Fetches Enc(data) of all the account's versions, and Enc(account) of the newest, ahead of what will be opened. */
  async prefetch(account: string): Promise<void> {
    const { authorities } = this.#options;
    const message = { whom: "KMS", what: "data keys", account } as const;
    const list = await this.#ask(message, () => authorities.dataKeys(account));
    const copies = await Promise.all(list.map((jws) => this.#verified(account, jws)));
    for (const copy of copies) this.#dataCopies.put(dataName(account, copy.edk), copy);
    const [newest] = copies;
    if (newest) await this.#encryptedAccount(account, newest.edk.accountKey.id);
  }

  /** The account's current data key. Throws `key-refused`, `key-superseded` for an older one than was seen before. */
  sealing(account: string): Promise<AccountDataKey> {
    return this.#dataKey(account, () =>
      this.#identifiers.get(account, async () => {
        const found = await this.#identifier(account);
        this.#newest.advance(`data key of ${account}`, found.keyVersion);
        this.#newest.advance(`account key of ${account}`, found.accountKey.version);
        return found;
      }),
    );
  }

  /**
   * The next version of the account's data key, made here (W10): what is sealed from now on is under it. Throws `key-refused`
   * where the KMS has signed another key than the one that was made.
   */
  async renew(account: string): Promise<KeyIdentifier> {
    const { authorities, crypto } = this.#options;
    const { accountKey } = await this.#identifier(account);
    const [master, wrapped] = await Promise.all([
      this.#encryptedMaster(),
      this.#encryptedAccount(account, accountKey.id),
    ]);
    const by = await this.#unwrapAccount(wrapped, master, "wrapKey");
    const made = await makeWrappedDataKey(crypto.subtle, by);
    const wrappedKey = encodeBase64url(made);
    const message = { whom: "IAM", what: "new data key", account } as const;
    const order = { wrappedKey, accountKey: wrapped.id };
    const jws = await this.#ask(message, () => authorities.renewDataKey(account, order));
    const copy = await this.#verified(account, jws);
    const { edk } = copy;
    if (edk.wrappedKey !== wrappedKey || edk.accountKey.id !== wrapped.id)
      throw new CofferError("key-refused");
    this.#newest.advance(`data key of ${account}`, edk.keyVersion);
    this.#dataCopies.put(dataName(account, edk), copy);
    this.#identifiers.delete(account);
    return edk;
  }

  /**
   * The account's data key that a header names, `<keyId>.<keyVersion>`. `edk` stands there too, and is enough at level `account`:
   * with the account key there, nobody is asked. Throws `key-refused`.
   */
  async opening(account: string, key: string, edk: string): Promise<AccountDataKey> {
    const held = this.#dataKeys.take(`${account} ${key}`);
    if (held) return held;
    if (this.#options.level === "master") return this.#dataKey(account, () => this.#identifier(account, key));
    const copy = await this.#verified(account, edk);
    return this.#dataKey(account, async () => {
      this.#dataCopies.put(dataName(account, copy.edk), copy);
      return copy.edk;
    });
  }

  /** Drops what was decrypted (W7): on an event, such as a lock. Encrypted copies stay. */
  lock(): void {
    this.#locked++;
    for (const ring of [this.#dataKeys, this.#accountKeys, this.#masterKeys]) ring.clear();
  }

  /** Drops all, encrypted copies too: the instance has ended. */
  end(): void {
    this.lock();
    for (const ring of [this.#masterCopies, this.#accountCopies, this.#dataCopies, this.#identifiers])
      ring.clear();
  }

  async #dataKey(account: string, identify: () => Promise<KeyIdentifier>): Promise<AccountDataKey> {
    const locked = this.#locked;
    let identifier = await identify();
    const held = this.#dataKeys.take(dataName(account, identifier));
    if (held) return held;
    let copies = await this.#copies(account, identifier);
    if (!agree(copies)) {
      // One of them was rotated meanwhile, or since its copy came.
      this.#forget(account, identifier);
      identifier = await identify();
      copies = await this.#copies(account, identifier);
      if (!agree(copies)) throw new CofferError("key-refused");
    }
    const found = copies;
    const alive = () => {
      if (this.#locked !== locked) throw new CofferError("key-missing");
    };
    alive();
    const key = await this.#dataKeys.get(dataName(account, identifier), () => this.#decrypt(account, found));
    alive();
    return key;
  }

  /** Master, account, data, in turn. */
  async #decrypt(account: string, { master, account: wrapped, data }: Encrypted): Promise<AccountDataKey> {
    const { subtle } = this.#options.crypto;
    const accountKey = await this.#accountKeys.get(`${account} ${wrapped.id}`, () =>
      this.#told("account key", { account, key: wrapped.id }, this.#unwrapAccount(wrapped, master)),
    );
    const unwrapped = unwrapDataKey(subtle, accountKey, bytesOf(data.edk.wrappedKey));
    const key = await this.#told("data key", { account, key: edkProviderInfo(data.edk) }, unwrapped);
    return { key, ...data };
  }

  async #unwrapAccount(
    { wrapped }: AccountCopy,
    master: MasterCopy | undefined,
    usage?: RungUsage,
  ): Promise<CryptoKey> {
    const { crypto, wrappingKey } = this.#options;
    if (!master) return unwrapReleasedKey(crypto.subtle, wrappingKey, wrapped, usage);
    return unwrapAccountKey(crypto.subtle, await this.#masterKey(master), wrapped, usage);
  }

  #masterKey({ id, wrappedKey }: MasterCopy): Promise<CryptoKey> {
    const { crypto, wrappingKey } = this.#options;
    return this.#masterKeys.get(id, () =>
      this.#told("master key", { key: id }, unwrapReleasedKey(crypto.subtle, wrappingKey, wrappedKey)),
    );
  }

  async #told(what: KeyName, of: { account?: string; key: string }, unwrapped: Promise<CryptoKey>) {
    const key = await unwrapped;
    this.#watch({ step: "decrypt", what, ...of });
    return key;
  }

  /** All three, fetched in parallel where there is no copy (W2). */
  async #copies(account: string, identifier: KeyIdentifier): Promise<Encrypted> {
    const [master, data, accountKey] = await Promise.all([
      this.#encryptedMaster(),
      this.#encryptedData(account, identifier),
      this.#encryptedAccount(account, identifier.accountKey.id),
    ]);
    return { master, data, account: accountKey };
  }

  #forget(account: string, identifier: KeyIdentifier): void {
    this.#identifiers.delete(account);
    this.#masterCopies.delete(MASTER);
    this.#dataCopies.delete(dataName(account, identifier));
    this.#accountCopies.delete(`${account} ${identifier.accountKey.id}`);
  }

  async #identifier(account: string, key?: string): Promise<KeyIdentifier> {
    const { authorities } = this.#options;
    const about = { what: "key identifier", account, ...(key === undefined ? {} : { key }) } as const;
    await authorities.authorize?.();
    this.#watch({ step: "ask", whom: "IAM", ...about });
    const found = await authorities.keyIdentifier(account, key);
    if (key !== undefined && edkProviderInfo(found) !== key) throw new CofferError("key-refused");
    this.#watch({ step: "get", whom: "IAM", ...about, key: edkProviderInfo(found) });
    return found;
  }

  async #encryptedMaster(): Promise<MasterCopy | undefined> {
    if (this.#options.level !== "master") return undefined;
    return this.#masterCopies.get(MASTER, async () => {
      const { authorities, trust } = this.#options;
      const challenge = this.#challenge();
      const message = { whom: "KMS", what: "master key" } as const;
      const answer = await this.#ask(message, () => authorities.masterKey(challenge));
      const wrappedKey = bytesOf(answer.wrappedKey);
      const awaited = await this.#awaited(wrappedKey, challenge);
      const receipt = await verifyMasterReceipt(answer.receipt, trust, awaited).catch(refuse);
      this.#newest.advance(MASTER, receipt.keyVersion);
      return { id: receipt.keyId, wrappedKey };
    });
  }

  #challenge(): string {
    return encodeBase64url(this.#options.crypto.random(new Uint8Array(32)));
  }

  async #awaited(wrappedKey: Bytes, challenge: string): Promise<Awaited> {
    const { tenant, now, wrappingCertificate } = this.#options;
    const recipient = await digest(wrappingCertificate);
    return { wrappedKey, recipient, tenant, challenge, now: seconds(now()) };
  }

  #encryptedAccount(account: string, id: string): Promise<AccountCopy> {
    return this.#accountCopies.get(`${account} ${id}`, async () => {
      const atMaster = this.#options.level === "master";
      const copy = await (atMaster ? this.#wrappedAccount(account, id) : this.#releasedAccount(account, id));
      if (copy.id !== id) throw new CofferError("key-refused");
      return copy;
    });
  }

  /** As the IAM keeps it. */
  async #wrappedAccount(account: string, id: string): Promise<AccountCopy> {
    const message = { whom: "IAM", what: "account key", account, key: id } as const;
    const copy = await this.#ask(message, () => this.#options.authorities.accountKey(account, id));
    return { ...copy, wrapped: bytesOf(copy.wrapped) };
  }

  /** Level `account`: encrypted to this instance, and with a receipt as Enc(master) is. */
  async #releasedAccount(account: string, id: string): Promise<AccountCopy> {
    const { authorities, trust } = this.#options;
    const challenge = this.#challenge();
    const message = { whom: "KMS", what: "account key", account, key: id } as const;
    const answer = await this.#ask(message, () => authorities.releasedAccountKey(account, challenge, id));
    const wrapped = bytesOf(answer.wrappedKey);
    const awaited = { ...(await this.#awaited(wrapped, challenge)), account };
    const { keyId, keyVersion } = await verifyAccountReceipt(answer.receipt, trust, awaited).catch(refuse);
    return { id: keyId, version: keyVersion, wrapped };
  }

  #encryptedData(account: string, identifier: KeyIdentifier): Promise<DataCopy> {
    const name = dataName(account, identifier);
    return this.#dataCopies.get(name, async () => {
      const key = edkProviderInfo(identifier);
      const message = { whom: "KMS", what: "data key", account, key } as const;
      const jws = await this.#ask(message, () => this.#options.authorities.dataKey(account, key));
      const copy = await this.#verified(account, jws);
      if (dataName(account, copy.edk) !== name) throw new CofferError("key-refused");
      return copy;
    });
  }

  /** Enc(data) counts only with the KMS's signature, under the pinned root, and for this account. */
  async #verified(account: string, jws: string): Promise<DataCopy> {
    const { trust, tenant, now } = this.#options;
    const edk = await verifyEdk(jws, trust, seconds(now())).catch(refuse);
    if (edk.tenant !== tenant || edk.account !== account) throw new CofferError("key-refused");
    return { jws, edk };
  }

  async #ask<T>(message: Message, send: () => Promise<T>): Promise<T> {
    await this.#options.authorities.authorize?.();
    this.#watch({ step: "ask", ...message });
    const answer = await send();
    this.#watch({ step: "get", ...message });
    return answer;
  }

  #watch(step: Step): void {
    this.#options.watch?.(step);
  }
}

/** Whether each stands under the next: none is of before a rotation. */
function agree({ master, account, data }: Encrypted): boolean {
  const { id, version } = data.edk.accountKey;
  return account.master === master?.id && account.id === id && account.version === version;
}

/** Of a data key in the rings. No account has a space in its name. */
function dataName(account: string, of: Pick<Edk, "keyId" | "keyVersion">): string {
  return `${account} ${edkProviderInfo(of)}`;
}

/** Whose key, and which, a name in a ring says; the master key is nobody's. */
function named(name: string): { account?: string; key: string } {
  const [first = "", key] = name.split(" ");
  return key === undefined ? { key: first } : { account: first, key };
}

function bytesOf(text: string): Bytes {
  try {
    return decodeBase64url(text);
  } catch (cause) {
    return refuse(cause);
  }
}

function refuse(cause: unknown): never {
  throw new CofferError("key-refused", { cause });
}
