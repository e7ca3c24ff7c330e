/**
 * The ladder in an instance at level `master` (US 9,490,973 FIG. 3 to 6): it asks KMS and IAM itself, verifies what it
 * gets, and unwraps master, account and data key in turn. At level `account` the same without the first rung. What it has
 * decrypted goes a set time after its last use (W7); encrypted copies have a life of their own.
 */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { concat } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import type { Layer } from "#protocol/envelope/index.ts";
import { CofferError, codeOf } from "#protocol/error.ts";
import {
  type AccountEdk,
  type Awaited,
  appKeyChannel,
  edkProviderInfo,
  isPairWrapping,
  type TrustList,
  verifyAccountReceipt,
  verifyEdk,
  verifyMasterReceipt,
} from "#protocol/keys/index.ts";
import type { Level } from "#protocol/level.ts";
import { covers, type SecondLayer } from "#protocol/second-layer.ts";
import { makeShare } from "../channel.ts";
import type { Crypto } from "../crypto.ts";
import type { WrappingKey } from "../device.ts";
import { endOf, type LoadedKey } from "../ring.ts";
import { type AppKeyStore, namedAppKey, symmetric } from "./app-key.ts";
import type { Authorities, KeyIdentifier, MadeDataKey } from "./authorities.ts";
import { Held } from "./held.ts";
import {
  makeWrappedKey,
  makeWrappedPair,
  publicHalf,
  type Released,
  type Rung,
  unwrapAccountKey,
  unwrapDataKey,
  unwrapDataPair,
  unwrapLayerKey,
  unwrapMasterKey,
  unwrapReleasedAccountKey,
  unwrapReleasedKey,
  type WrappedAccount,
} from "./links.ts";
import { Newest } from "./newest.ts";
import { takeOff, wrapOnceMore } from "./second-layer.ts";
import type { KeyName, Message, Step, Watch } from "./step.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type MasterCopy = Released & {
  id: string;
  secondLayer?: SecondLayer | undefined;
  /** The symmetric app-specific key that a symmetric master key stands under. */
  appKey?: Bytes;
  appKeyId?: string;
};
/** Under the master key of the id `master`, or, at level `account`, to the instance itself. */
type AccountCopy = WrappedAccount & { id: string; version: number; master?: string };
type DataCopy = { jws: string; edk: AccountEdk };
/** What a data key is unwrapped from: Enc(master), Enc(account), Enc(data). */
type Encrypted = { master?: MasterCopy | undefined; account: AccountCopy; data: DataCopy };

/** A data key that was made here, under the account key of that id. */
type MadeKey = { wrapped: Bytes; accountKey: string };

/** A data key, and the EDK that goes into the header of what is sealed under it. One that is a `pair` wraps a secret for each message. */
export type AccountDataKey = LoadedKey & DataCopy;

export type LadderOptions = {
  level: Exclude<Level, "data">;
  crypto: Crypto;
  authorities: Authorities;
  trust: TrustList;
  /** The app-specific key, and the certificate over it: whom the highest rung is encrypted to. */
  wrappingKey: WrappingKey;
  wrappingCertificate: Bytes;
  /** Of a symmetric one, where the tenant has such. */
  appKeys: AppKeyStore;
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
/** Of a symmetric key under AES Key Wrap. */
const WRAPPED_LENGTH = 40;
/** Name of the copy of the current one; an earlier one has its own. */
const MASTER = "master";
/** What IAM and KMS say where an instance has to make a key. */
const STRICT = "strict-tenant";
/** How often it is asked again whether another instance was first with an account's first keys. */
const MAX_TURNS = 3;
/** Versions that others may have made since the IAM last heard of one. */
const MAX_AHEAD = 4;

export class Ladder {
  readonly #options: LadderOptions;
  readonly #masterKeys: Held<CryptoKey>;
  /** Master keys as keys that others are derived from (W14). */
  readonly #layerKeys: Held<CryptoKey>;
  /** The same keys as handles that unwrap pairs. */
  readonly #masterKeysOfPairs: Held<CryptoKey>;
  readonly #accountKeys: Held<CryptoKey>;
  readonly #dataKeys: Held<AccountDataKey>;
  readonly #masterCopies: Held<MasterCopy>;
  readonly #accountCopies: Held<AccountCopy>;
  readonly #dataCopies: Held<DataCopy>;
  readonly #identifiers: Held<KeyIdentifier>;
  readonly #newest = new Newest();
  readonly #renewing = new Map<string, Promise<unknown>>();
  /** Whether the tenant's data keys are pairs, as the IAM said last. */
  #pairs = false;
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
    this.#layerKeys = new Held(decrypted("second layer"));
    this.#masterKeysOfPairs = new Held(decrypted("master key"));
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

  /** Decrypted keys that are in memory, by what they are. */
  held(): { what: KeyName; account?: string; key: string; left: number }[] {
    const rings = {
      "master key": [this.#masterKeys, this.#masterKeysOfPairs],
      "second layer": [this.#layerKeys],
      "account key": [this.#accountKeys],
      "data key": [this.#dataKeys],
    } satisfies Record<KeyName, Pick<Held<unknown>, "held">[]>;
    return (Object.keys(rings) as KeyName[]).flatMap((what) =>
      rings[what].flatMap((ring) => ring.held().map(({ name, left }) => ({ what, ...named(name), left }))),
    );
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

  /**
   * The account's current data key. One that lacks the second layer which the tenant wants (W14), or is no pair where it wants pairs (W1),
   * is replaced first. Throws
   * `key-refused`, `key-superseded` for an older one than was seen before.
   */
  async sealing(account: string): Promise<AccountDataKey> {
    const key = await this.#current(account);
    if (await this.#isCovered(key)) return key;
    // Another instance may have seen to it.
    this.#identifiers.delete(account);
    if (!(await this.#isCovered(await this.#current(account)))) await this.#renewOnce(account);
    return this.#current(account);
  }

  /** The second layer of what is sealed now; undefined where the tenant has none on ciphertexts (W14). */
  async sealingLayer(): Promise<Layer | undefined> {
    const master = await this.#encryptedMaster();
    if (!master || !covers(master.secondLayer, "content")) return undefined;
    return { id: master.id, key: await this.layerKey(master.id) };
  }

  /**
   * The master key of this id, to derive a second layer's key from (W14): it may be an earlier one, which the current one has
   * replaced. Throws `key-refused`.
   */
  layerKey(id: string): Promise<CryptoKey> {
    const { crypto } = this.#options;
    return this.#layerKeys.get(id, async () => {
      const current = await this.#encryptedMaster();
      const copy = current?.id === id ? current : await this.#encryptedMaster(id);
      // A pair is no key that others are derived from.
      if (!copy || copy.privateKey) throw new CofferError("key-refused");
      const unwrapped = unwrapLayerKey(crypto.subtle, this.#appKeyFor(copy), copy.wrappedKey);
      return this.#told("second layer", { key: id }, unwrapped);
    });
  }

  #current(account: string): Promise<AccountDataKey> {
    return this.#dataKey(account, () =>
      this.#identifiers.get(account, async () => {
        const found = await this.#begun(account);
        this.#newest.advance(`data key of ${account}`, found.keyVersion);
        this.#newest.advance(`account key of ${account}`, found.accountKey.version);
        return found;
      }),
    );
  }

  /**
   * KI of the account's current data key. Where the HSM keeps no master key (docs/decisions/0037) nobody but an instance makes an
   * account's first keys: then this one does, unless another is first.
   */
  async #begun(account: string): Promise<KeyIdentifier> {
    for (let turn = 0; ; turn++)
      try {
        return await this.#identifier(account);
      } catch (error) {
        if (codeOf(error) !== STRICT || turn === MAX_TURNS) throw error;
        await this.#begin(account).catch((cause: unknown) => {
          if (codeOf(cause) !== "conflict") throw cause;
        });
      }
  }

  async #begin(account: string): Promise<void> {
    const accountKey = await this.#currentAccount(account).catch((error: unknown) => {
      if (codeOf(error) !== STRICT) throw error;
      return this.#makeAccount(account);
    });
    await this.#order(account, await this.#make(accountKey));
  }

  /**
   * Another account key, made here (W11); what was sealed before opens as before. Throws `forbidden` at level `account`, where the
   * instance has not the key that it would stand under.
   */
  async renewAccount(account: string): Promise<{ id: string; version: number }> {
    const { id: replaces } = await this.#currentAccount(account);
    const { id, version } = await this.#makeAccount(account, replaces);
    return { id, version };
  }

  async #makeAccount(account: string, replaces?: string): Promise<AccountCopy> {
    const { crypto, authorities } = this.#options;
    const master = await this.#encryptedMaster();
    if (!master) throw new CofferError("forbidden");
    // Under a pair the HSM makes them: the strict variant is for symmetric master keys.
    if (master.privateKey) throw new CofferError("key-unusable");
    const by = await unwrapReleasedKey(crypto.subtle, this.#appKeyFor(master), master.wrappedKey, {
      usage: "wrapKey",
    });
    const wrapped = await makeWrappedKey(crypto.subtle, by);
    const made = {
      wrapped: encodeBase64url(wrapped),
      master: master.id,
      ...(replaces === undefined ? {} : { replaces }),
    };
    const message = { whom: "IAM", what: "new account key", account } as const;
    const { id, version } = await this.#ask(message, () => authorities.keepAccountKey(account, made));
    return this.#keepCurrent(account, { id, version, wrapped, master: master.id });
  }

  /**
   * The next version of the account's data key, made here (W10): what is sealed from now on is under it. Throws `key-refused`
   * where the KMS has signed another key than the one that was made.
   */
  async renew(account: string): Promise<KeyIdentifier> {
    const current = await this.#identifier(account);
    const [master, accountKey] = await Promise.all([this.#encryptedMaster(), this.#currentAccount(account)]);
    const made = await this.#make(accountKey);
    const { edk } =
      master && covers(master.secondLayer, "data-key")
        ? await this.#orderLayered(account, current, { masterKey: master.id, made })
        : await this.#order(account, made);
    return edk;
  }

  /** A data key under that account key. */
  async #make(accountKey: AccountCopy): Promise<MadeKey> {
    const { subtle } = this.#options.crypto;
    const { publicKey, id } = accountKey;
    const master = await this.#encryptedMaster();
    const ofPair = this.#pairs;
    const by = await (publicKey
      ? publicHalf(subtle, publicKey)
      : this.#unwrapAccount(accountKey, master, { usage: "wrapKey", ofPair }));
    const wrapped = await (ofPair ? makeWrappedPair(this.#options.crypto, by) : makeWrappedKey(subtle, by));
    // To the public half of this very pair: whoever had put another there could read what is sealed from now on.
    if (publicKey) {
      const own = await this.#unwrapAccount(accountKey, master);
      await (ofPair ? unwrapDataPair : unwrapDataKey)(subtle, own, wrapped);
    }
    return { wrapped, accountKey: id };
  }

  /** The layer is bound to the version that comes next, which the IAM may not have heard of: then it is put on for the one after it. */
  async #orderLayered(
    account: string,
    { keyId, keyVersion }: KeyIdentifier,
    { masterKey, made }: { masterKey: string; made: MadeKey },
  ): Promise<DataCopy> {
    const { crypto, tenant } = this.#options;
    const by = await this.layerKey(masterKey);
    for (let next = keyVersion + 1; ; next++) {
      const bound = { tenant, account, keyId, keyVersion: next };
      try {
        const wrapped = await wrapOnceMore(crypto, by, bound, made.wrapped);
        return await this.#order(account, { ...made, wrapped }, { masterKey, keyVersion: next });
      } catch (error) {
        if (codeOf(error) !== "conflict" || next >= keyVersion + MAX_AHEAD) throw error;
      }
    }
  }

  async #order(
    account: string,
    { wrapped, ...of }: MadeKey,
    asked?: MadeDataKey["layer"],
  ): Promise<DataCopy> {
    const { authorities } = this.#options;
    const made = { wrappedKey: encodeBase64url(wrapped), ...of, ...(asked && { layer: asked }) };
    const message = { whom: "IAM", what: "new data key", account } as const;
    const jws = await this.#ask(message, () => authorities.renewDataKey(account, made));
    const copy = await this.#verified(account, jws);
    const { wrappedKey, accountKey, layer, keyVersion } = copy.edk;
    const same =
      wrappedKey === made.wrappedKey &&
      accountKey.id === made.accountKey &&
      layer?.masterKey === asked?.masterKey &&
      (!asked || asked.keyVersion === keyVersion);
    if (!same) throw new CofferError("key-refused");
    this.#newest.advance(`data key of ${account}`, keyVersion);
    this.#dataCopies.put(dataName(account, copy.edk), copy);
    this.#identifiers.delete(account);
    return copy;
  }

  /**
   * Whether it is a pair where the tenant wants pairs, and has the second layer that it wants, under the current master key. What is more
   * than is wanted stays.
   */
  async #isCovered({ edk }: AccountDataKey): Promise<boolean> {
    if (this.#pairs && !isPairWrapping(edk.wrapping)) return false;
    const master = await this.#encryptedMaster();
    return !master || !covers(master.secondLayer, "data-key") || edk.layer?.masterKey === master.id;
  }

  /** Several that seal at once wait for one new version. */
  #renewOnce(account: string): Promise<unknown> {
    const other = this.#renewing.get(account);
    if (other) return other;
    const renewing = this.renew(account).finally(() => this.#renewing.delete(account));
    this.#renewing.set(account, renewing);
    return renewing;
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
    const keys = [
      this.#dataKeys,
      this.#accountKeys,
      this.#masterKeys,
      this.#masterKeysOfPairs,
      this.#layerKeys,
    ];
    for (const ring of keys) ring.clear();
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
    const { edk } = data;
    const ofPair = isPairWrapping(edk.wrapping);
    // An account key that is symmetric has a handle for each kind of data key.
    const handle = `${account} ${wrapped.id}${ofPair && !wrapped.publicKey ? " pair" : ""}`;
    const accountKey = await this.#accountKeys.get(handle, () => {
      const unwrapped = this.#unwrapAccount(wrapped, master, { ofPair });
      return this.#told("account key", { account, key: wrapped.id }, unwrapped);
    });
    const stored = bytesOf(edk.wrappedKey);
    const once = edk.layer
      ? await takeOff(subtle, await this.layerKey(edk.layer.masterKey), edk, stored)
      : stored;
    const of = { account, key: edkProviderInfo(edk) };
    if (!ofPair)
      return { key: await this.#told("data key", of, unwrapDataKey(subtle, accountKey, once)), ...data };
    const pair = await this.#told("data key", of, unwrapDataPair(subtle, accountKey, once));
    return { key: pair.key, ...data, pair: { ...pair, edk } };
  }

  async #unwrapAccount(account: AccountCopy, master: MasterCopy | undefined, as?: Rung): Promise<CryptoKey> {
    const { subtle } = this.#options.crypto;
    if (!master) return unwrapReleasedAccountKey(subtle, this.#options.wrappingKey, account, as);
    const masterKey = await this.#masterKey(master, account.publicKey !== undefined);
    return unwrapAccountKey(subtle, masterKey, account, as);
  }

  #masterKey(copy: MasterCopy, ofPair: boolean): Promise<CryptoKey> {
    const { crypto } = this.#options;
    const { id, privateKey } = copy;
    const unwrapped = () => unwrapMasterKey(crypto.subtle, this.#appKeyFor(copy), copy, ofPair);
    return (ofPair && !privateKey ? this.#masterKeysOfPairs : this.#masterKeys).get(id, () =>
      this.#told("master key", { key: id }, unwrapped()),
    );
  }

  async #told<K>(what: KeyName, of: { account?: string; key: string }, unwrapped: Promise<K>): Promise<K> {
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
    const { dataKeys, ...found } = await authorities.keyIdentifier(account, key);
    this.#pairs = dataKeys !== undefined;
    if (key !== undefined && edkProviderInfo(found) !== key) throw new CofferError("key-refused");
    this.#watch({ step: "get", whom: "IAM", ...about, key: edkProviderInfo(found) });
    return found;
  }

  /** Of the current master key, or of the earlier one of this id. */
  async #encryptedMaster(id?: string): Promise<MasterCopy | undefined> {
    if (this.#options.level !== "master") return undefined;
    return this.#masterCopies.get(id ?? MASTER, () => this.#askMaster(id));
  }

  /** `replace`: under another symmetric app-specific key than the one that is held. */
  async #askMaster(id?: string, replace = false): Promise<MasterCopy> {
    const { authorities, trust, appKeys, crypto } = this.#options;
    const { subtle } = crypto;
    const challenge = this.#challenge();
    const message = { whom: "KMS", what: "master key", ...(id === undefined ? {} : { key: id }) } as const;
    const [{ share, privateKey }, held] = await Promise.all([makeShare(subtle), appKeys.read()]);
    const ask = { share, ...(held && { [replace ? "replaces" : "held"]: held.id }) };
    const answer = await this.#ask(message, () => authorities.masterKey(challenge, id, ask));
    const { received, ...released } = releasedOf(answer);
    const awaited = await this.#awaited(received, challenge);
    const { proof } = answer;
    const receipt = await verifyMasterReceipt(answer.receipt, trust, { ...awaited, proof }).catch(refuse);
    const { keyId, keyVersion, secondLayer, appKey: named } = receipt;
    if (id === undefined) this.#newest.advance(MASTER, keyVersion);
    else if (keyId !== id) throw new CofferError("key-refused");
    const copy = { id: keyId, ...released, secondLayer };
    if (!named) return copy;
    const { recipient } = awaited;
    const of = appKeyChannel({ challenge, share, recipient });
    const appKey = await namedAppKey(subtle, named, answer.appKey, { of, privateKey, held }).catch(refuse);
    if (appKey !== held) await appKeys.keep(appKey);
    const { wrappedKey } = copy;
    const appKeyId = appKey.id;
    return wrappedKey.length === WRAPPED_LENGTH
      ? { ...copy, appKeyId, appKey: appKey.wrapped }
      : { ...copy, appKeyId, wrappedKey: appKey.wrapped, privateKey: wrappedKey };
  }

  /**
   * Another symmetric app-specific key in the place of the one that is held, which ends at once (W12). Its id. Throws `key-missing` where
   * the tenant's are RSA pairs, which another enrolment replaces.
   */
  async replaceAppKey(): Promise<string> {
    if (this.#options.level !== "master") throw new CofferError("key-missing");
    const copy = await this.#askMaster(undefined, true);
    this.#masterCopies.clear();
    this.#masterCopies.put(MASTER, copy);
    if (copy.appKeyId === undefined) throw new CofferError("key-missing");
    return copy.appKeyId;
  }

  /** By what a master key is unwrapped. */
  #appKeyFor({ appKey }: MasterCopy): WrappingKey {
    const { crypto, wrappingKey } = this.#options;
    return appKey ? symmetric(crypto.subtle, wrappingKey, appKey) : wrappingKey;
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
      const copy = await this.#askAccount(account, id);
      if (copy.id !== id) throw new CofferError("key-refused");
      return copy;
    });
  }

  /** What data keys are made under now: after a rotation another one than the current data key's. */
  async #currentAccount(account: string): Promise<AccountCopy> {
    return this.#keepCurrent(account, await this.#askAccount(account));
  }

  #keepCurrent(account: string, copy: AccountCopy): AccountCopy {
    // Counted apart: until there is a data key under it, the current data key's own account key is the one before.
    this.#newest.advance(`next account key of ${account}`, copy.version);
    this.#accountCopies.put(`${account} ${copy.id}`, copy);
    return copy;
  }

  #askAccount(account: string, id?: string): Promise<AccountCopy> {
    const atMaster = this.#options.level === "master";
    return atMaster ? this.#wrappedAccount(account, id) : this.#releasedAccount(account, id);
  }

  /** As the IAM keeps it. */
  async #wrappedAccount(account: string, id?: string): Promise<AccountCopy> {
    const message = { whom: "IAM", what: "account key", account, ...(id && { key: id }) } as const;
    const copy = await this.#ask(message, () => this.#options.authorities.accountKey(account, id));
    const { publicKey } = copy;
    return {
      ...copy,
      wrapped: bytesOf(copy.wrapped),
      publicKey: publicKey === undefined ? undefined : bytesOf(publicKey),
    };
  }

  /** Level `account`: encrypted to this instance, and with a receipt as Enc(master) is. */
  async #releasedAccount(account: string, id?: string): Promise<AccountCopy> {
    const { authorities, trust } = this.#options;
    const challenge = this.#challenge();
    const message = { whom: "KMS", what: "account key", account, ...(id && { key: id }) } as const;
    const answer = await this.#ask(message, () => authorities.releasedAccountKey(account, challenge, id));
    const { wrappedKey, privateKey, received } = releasedOf(answer);
    const publicKey = answer.publicKey === undefined ? undefined : bytesOf(answer.publicKey);
    const awaited = { ...(await this.#awaited(received, challenge)), account };
    const { keyId, keyVersion } = await verifyAccountReceipt(answer.receipt, trust, awaited).catch(refuse);
    const of = { id: keyId, version: keyVersion, publicKey };
    return privateKey ? { ...of, wrapped: privateKey, cek: wrappedKey } : { ...of, wrapped: wrappedKey };
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
    if (edk.accountKey === undefined || edk.tenant !== tenant || edk.account !== account)
      throw new CofferError("key-refused");
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

/** Whether each stands under the next: none is of before a rotation, and the account key is of the kind that the EDK says. */
function agree({ master, account, data: { edk } }: Encrypted): boolean {
  const { id, version } = edk.accountKey;
  const isPair = edk.wrapping.startsWith("RSA-OAEP-256");
  return (
    account.master === master?.id &&
    account.id === id &&
    account.version === version &&
    (account.publicKey !== undefined) === isPair
  );
}

/** Of a data key in the rings. No account has a space in its name. */
function dataName(account: string, of: Pick<AccountEdk, "keyId" | "keyVersion">): string {
  return `${account} ${edkProviderInfo(of)}`;
}

/** Whose key, and which, a name in a ring says; the master key is nobody's. */
function named(name: string): { account?: string; key: string } {
  const [first = "", key] = name.split(" ");
  return key === undefined ? { key: first } : { account: first, key };
}

/** `received`: what the receipt is for. */
function releasedOf(answer: { wrappedKey: string; privateKey?: string }): Released & { received: Bytes } {
  const wrappedKey = bytesOf(answer.wrappedKey);
  if (answer.privateKey === undefined) return { wrappedKey, received: wrappedKey };
  const privateKey = bytesOf(answer.privateKey);
  return { wrappedKey, privateKey, received: concat(wrappedKey, privateKey) };
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
