/** KMS and IAM of a deployment at level `master`, with the keys that their HSM would have. */

import * as x509 from "@peculiar/x509";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { concat, utf8 } from "#protocol/bytes.ts";
import { digest } from "#protocol/digest.ts";
import { CofferError } from "#protocol/error.ts";
import { SIGN_TYPE } from "#protocol/hierarchy/index.ts";
import {
  type AccountEdk,
  type AccountReceipt,
  appKeyChannel,
  type ChannelOf,
  channelDigest,
  channelInfo,
  isPairLength,
  type MasterReceipt,
} from "#protocol/keys/index.ts";
import { CEK_LABEL } from "#protocol/oaep-labels.ts";
import { type Authority, jws, type Signer, START } from "../authority.fixture.ts";
import type { AppKeyCopy } from "../store.ts";
import type { AppKeyAsk, ReleasedAccountKey, ReleasedKey } from "./authorities.ts";
import type { AppKeyStore, Authorities, KeyIdentifier, WrappedAccountKey } from "./index.ts";

const { subtle } = crypto;
const AES_KW = { name: "AES-KW", length: 256 };
const random = () => crypto.getRandomValues(new Uint8Array(32));

type Bytes = Uint8Array<ArrayBuffer>;
type Version = { edk: AccountEdk; raw: Bytes };
/** `key` wraps data keys; `raw`: 32 bytes, or PKCS#8. */
type AccountKey = WrappedAccountKey & { key: CryptoKey; raw: Bytes };

async function wrap(raw: Bytes, by: CryptoKey): Promise<string> {
  // Any key that can be exported can be wrapped, whatever it is for.
  const key = await subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, true, ["sign"]);
  return encodeBase64url(new Uint8Array(await subtle.wrapKey("raw", key, by, by.algorithm.name)));
}

/** Nonce, ciphertext and tag. */
async function sealed(pkcs8: Bytes, by: Bytes): Promise<Bytes> {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const key = await subtle.importKey("raw", by, "AES-GCM", false, ["encrypt"]);
  return concat(iv, new Uint8Array(await subtle.encrypt({ name: "AES-GCM", iv }, key, pkcs8)));
}

/** The HSM's end of a channel. */
async function sealOverChannel(of: ChannelOf, data: Bytes) {
  const pair = (await subtle.generateKey("X25519", true, ["deriveKey"])) as CryptoKeyPair;
  const share = encodeBase64url(new Uint8Array(await subtle.exportKey("raw", pair.publicKey)));
  const other = await subtle.importKey("raw", decodeBase64url(of.share), "X25519", true, []);
  const agreement = { name: "X25519", public: other };
  const agreed = await subtle.deriveKey(agreement, pair.privateKey, "HKDF", false, ["deriveKey"]);
  const hkdf = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: await channelInfo(of) };
  const key = await subtle.deriveKey(hkdf, agreed, { name: "AES-GCM", length: 256 }, false, ["encrypt"]);
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const bytes = new Uint8Array(await subtle.encrypt({ name: "AES-GCM", iv }, key, data));
  return { share, nonce: encodeBase64url(iv), sealed: encodeBase64url(bytes) };
}

const RSA = {
  ...{ name: "RSA-OAEP", hash: "SHA-256", modulusLength: 3072 },
  publicExponent: new Uint8Array([1, 0, 1]),
};
const rung = (raw: Bytes) => subtle.importKey("raw", raw, AES_KW, false, ["wrapKey"]);

/** What an answer is changed to, on its way to the instance. */
export type Changes = {
  receipt?: Partial<MasterReceipt>;
  accountReceipt?: Partial<AccountReceipt>;
  receiptBy?: Signer;
  wrappedKey?: string;
  released?: Partial<ReleasedAccountKey>;
  identifier?: Partial<KeyIdentifier>;
  account?: Partial<WrappedAccountKey>;
  edk?: Partial<AccountEdk>;
  edkBy?: Signer;
  /** Of a symmetric app-specific key: what the receipt says of it, and what comes over the channel. */
  appKey?: Partial<NonNullable<MasterReceipt["appKey"]>>;
  sealed?: Partial<NonNullable<ReleasedKey["appKey"]>>;
};

/** What an instance keeps of a symmetric app-specific key. */
export function appKeysInMemory(held?: AppKeyCopy): AppKeyStore {
  let kept = held;
  return {
    read: async () => kept,
    async keep(copy) {
      kept = copy;
    },
  };
}

export class Hierarchy {
  /** What was asked for, in order. */
  readonly asked: string[] = [];
  change: Changes = {};
  offline = false;
  readonly #authority: Authority;
  readonly #certificate: Bytes;
  readonly #now: () => number;
  #master = { keyId: "m-1", keyVersion: 1, raw: random() };
  /** Those that the current one has replaced. */
  readonly #earlier: { keyId: string; keyVersion: number; raw: Bytes }[] = [];
  /** Whether the HSM keeps no master key: then nobody here makes an account's first keys. */
  strict = false;
  /** What the IAM says that data keys are made as. */
  dataKeys: "RSA-3072" | undefined;
  /** Whether app-specific keys are symmetric, and the one that there is. */
  symmetric = false;
  #appKey: { id: string; raw: Bytes; digest: string } | undefined;
  #appKeys = 0;
  /** Versions that the IAM has not heard of. */
  ahead = 0;
  readonly #masterPair: CryptoKeyPair | undefined;
  readonly #accounts = new Map<string, AccountKey[]>();
  readonly #data = new Map<string, Version[]>();

  readonly #pairs: boolean;

  /**
   * `certificate`: of the instance's wrapping key, DER; `pairs`: whether account keys are RSA pairs; `master`: the pair that the master key
   * is, where it is one.
   */
  constructor(
    authority: Authority,
    certificate: Bytes,
    now: () => number,
    pairs = false,
    master?: CryptoKeyPair,
  ) {
    this.#pairs = pairs;
    this.#masterPair = master;
    this.#authority = authority;
    this.#certificate = certificate;
    this.#now = now;
  }

  /** An account with its first keys. */
  async account(name: string): Promise<this> {
    this.#accounts.set(name, []);
    this.#data.set(name, []);
    await this.rotateAccountKey(name);
    await this.renewDataKey(name);
    return this;
  }

  async rotateAccountKey(account: string): Promise<void> {
    const keys = this.#accounts.get(account) ?? [];
    this.#accounts.set(account, keys);
    const version = keys.length + 1;
    const of = { id: `ak-${account}-${version}`, version, master: this.#master.keyId };
    if (!this.#pairs) {
      const raw = random();
      const wrapped = await wrap(raw, this.#masterPair?.publicKey ?? (await rung(this.#master.raw)));
      keys.push({ ...of, wrapped, key: await rung(raw), raw });
      return;
    }
    const pair = await subtle.generateKey(RSA, true, ["wrapKey", "unwrapKey"]);
    const raw = new Uint8Array(await subtle.exportKey("pkcs8", pair.privateKey));
    const publicKey = encodeBase64url(new Uint8Array(await subtle.exportKey("spki", pair.publicKey)));
    const wrapped = encodeBase64url(await this.#privateUnderMaster(raw));
    keys.push({ ...of, wrapped, publicKey, key: pair.publicKey, raw });
  }

  /** Under a master key that is a pair, a content-encryption key stands before it. */
  async #privateUnderMaster(raw: Bytes): Promise<Bytes> {
    if (!this.#masterPair) return sealed(raw, this.#master.raw);
    const cek = random();
    const by = { name: "RSA-OAEP", label: utf8(CEK_LABEL) };
    const wrappedCek = new Uint8Array(await subtle.encrypt(by, this.#masterPair.publicKey, cek));
    return concat(wrappedCek, await sealed(raw, cek));
  }

  async renewDataKey(account: string): Promise<void> {
    const versions = this.#data.get(account) ?? [];
    this.#data.set(account, versions);
    const { id, version, key } = this.#accounts.get(account)!.at(-1)!;
    const raw = random();
    const edk: AccountEdk = {
      ...{ version: 1, keyId: `k-${account}`, keyVersion: versions.length + 1 },
      ...{ algorithm: "AES-256-GCM-HKDF-SHA512-COMMIT-KEY", tenant: "acme", account, owner: "u-1" },
      ...{ created: START / 1000, purpose: "document", accountKey: { id, version } },
      ...{ wrapping: this.#pairs ? "RSA-OAEP-256" : "A256KW", wrappedKey: await wrap(raw, key) },
      policy: { operations: ["encrypt", "decrypt"] },
    };
    versions.push({ edk, raw });
  }

  /** A successor of the master key, and all account keys under it. */
  async rotateMasterKey(): Promise<void> {
    const { keyVersion } = this.#master;
    this.#earlier.push(this.#master);
    this.#master = { keyId: `m-${keyVersion + 1}`, keyVersion: keyVersion + 1, raw: random() };
    const by = await rung(this.#master.raw);
    for (const key of [...this.#accounts.values()].flat()) {
      key.wrapped = key.publicKey
        ? encodeBase64url(await sealed(key.raw, this.#master.raw))
        : await wrap(key.raw, by);
      key.master = this.#master.keyId;
    }
  }

  /** Enc(account), with the public half of a pair. */
  wrappedAccountKey(account: string): Pick<WrappedAccountKey, "wrapped" | "publicKey"> {
    const { wrapped, publicKey } = this.#accounts.get(account)!.at(-1)!;
    return { wrapped, ...(publicKey && { publicKey }) };
  }

  /** The current one, or that of the id. */
  #accountKey(account: string, id?: string): AccountKey {
    this.#ask(id === undefined ? `current account key of ${account}` : `account key ${id}`);
    const keys = this.#accounts.get(account) ?? [];
    const found = id === undefined ? keys.at(-1) : keys.find((key) => key.id === id);
    if (!found && id === undefined && this.strict) throw new CofferError("strict-tenant");
    if (!found) throw new CofferError("not-found");
    return found;
  }

  async #toInstance(raw: Bytes): Promise<Bytes> {
    const key = new x509.X509Certificate(this.#certificate).publicKey;
    const to = await key.export({ name: "RSA-OAEP", hash: "SHA-256" } as never, ["encrypt"], crypto);
    return new Uint8Array(await subtle.encrypt("RSA-OAEP", to, raw));
  }

  /** By the symmetric app-specific key, made where the instance does not hold it. */
  async #underAppKey(master: Bytes, challenge: string, { share, held }: AppKeyAsk) {
    const recipient = await digest(this.#certificate);
    const of = appKeyChannel({ challenge, share, recipient });
    let sealedKey: NonNullable<ReleasedKey["appKey"]> | undefined;
    if (!this.#appKey || held !== this.#appKey.id) {
      const raw = random();
      const made = await this.#toInstance(raw);
      this.#appKey = { id: `app-${++this.#appKeys}`, raw, digest: await digest(made) };
      sealedKey = await sealOverChannel(of, made);
    }
    const { id, raw, digest: named } = this.#appKey;
    const channel = sealedKey && (await channelDigest(of, sealedKey.share));
    const pkcs8 =
      this.#masterPair && new Uint8Array(await subtle.exportKey("pkcs8", this.#masterPair.privateKey));
    const wrapped = pkcs8 ? await sealed(pkcs8, raw) : decodeBase64url(await wrap(master, await rung(raw)));
    return {
      wrapped,
      named: { id, digest: named, ...(channel && { channel }), ...this.change.appKey },
      ...(sealedKey && { passed: { ...sealedKey, ...this.change.sealed } }),
    };
  }

  async #masterToInstance(raw: Bytes) {
    if (!this.#masterPair) return { wrapped: await this.#toInstance(raw) };
    const pkcs8 = new Uint8Array(await subtle.exportKey("pkcs8", this.#masterPair.privateKey));
    return { wrapped: await this.#toInstance(raw), privateKey: await sealed(pkcs8, raw) };
  }

  readonly authorities: Authorities = {
    masterKey: async (challenge, id, asked) => {
      this.#ask(id === undefined ? "master key" : `master key ${id}`);
      const master = id === undefined ? this.#master : this.#earlier.find(({ keyId }) => keyId === id);
      if (!master) throw new CofferError("not-found");
      const appKey = this.symmetric ? await this.#underAppKey(master.raw, challenge, asked) : undefined;
      const { wrapped, privateKey } = appKey
        ? { wrapped: appKey.wrapped, privateKey: undefined }
        : await this.#masterToInstance(master.raw);
      const { keyId, keyVersion } = master;
      const received = privateKey ? concat(wrapped, privateKey) : wrapped;
      const { receiptSigner } = this.#authority;
      const receipt = await jws(this.change.receiptBy ?? receiptSigner, SIGN_TYPE.receipt, {
        ...{ version: 1, kind: "master", wrappedKeyDigest: await digest(received), keyId, keyVersion },
        ...{ recipient: await digest(this.#certificate), tenant: "acme", challenge },
        ...{ iat: this.#now() / 1000, exp: this.#now() / 1000 + 60 },
        ...(appKey && { appKey: appKey.named }),
        ...this.change.receipt,
      } satisfies MasterReceipt);
      return {
        ...{ wrappedKey: this.change.wrappedKey ?? encodeBase64url(wrapped), receipt },
        ...(privateKey && { privateKey: encodeBase64url(privateKey) }),
        ...(appKey?.passed && { appKey: appKey.passed }),
        ...this.change.released,
      };
    },
    releasedAccountKey: async (account, challenge, asked) => {
      const { id, raw, version, publicKey } = this.#accountKey(account, asked);
      const cek = random();
      const wrapped = await this.#toInstance(publicKey ? cek : raw);
      const ofPair = publicKey && { publicKey, privateKey: encodeBase64url(await sealed(raw, cek)) };
      const received = ofPair ? concat(wrapped, decodeBase64url(ofPair.privateKey)) : wrapped;
      const receipt = await jws(this.change.receiptBy ?? this.#authority.receiptSigner, SIGN_TYPE.receipt, {
        ...{ version: 1, kind: "account", account, wrappedKeyDigest: await digest(received) },
        ...{ keyId: id, keyVersion: version, recipient: await digest(this.#certificate), tenant: "acme" },
        ...{ challenge, iat: this.#now() / 1000, exp: this.#now() / 1000 + 60 },
        ...this.change.accountReceipt,
      } satisfies AccountReceipt);
      const wrappedKey = this.change.wrappedKey ?? encodeBase64url(wrapped);
      return { wrappedKey, receipt, ...ofPair, ...this.change.released };
    },
    keyIdentifier: async (account, key) => {
      this.#ask(`key identifier of ${account}${key === undefined ? "" : ` for ${key}`}`);
      const { keyId, keyVersion, accountKey } = this.#version(account, key).edk;
      const told = this.dataKeys && { dataKeys: this.dataKeys };
      return { keyId, keyVersion, accountKey, ...told, ...this.change.identifier };
    },
    accountKey: async (account, asked) => {
      const { id, version, wrapped, master, publicKey } = this.#accountKey(account, asked);
      return { id, version, wrapped, master, ...(publicKey && { publicKey }), ...this.change.account };
    },
    keepAccountKey: async (account, { wrapped, master, replaces }) => {
      this.#ask(`new account key of ${account}`);
      const keys = this.#accounts.get(account) ?? [];
      if (keys.at(-1)?.id !== replaces || master !== this.#master.keyId) throw new CofferError("conflict");
      const by = await subtle.importKey("raw", this.#master.raw, AES_KW, false, ["unwrapKey"]);
      const made = await subtle.unwrapKey("raw", decodeBase64url(wrapped), by, "AES-KW", AES_KW, true, [
        "wrapKey",
      ]);
      const raw = new Uint8Array(await subtle.exportKey("raw", made));
      const version = keys.length + 1;
      const of = { id: `ak-${account}-${version}`, version, master };
      this.#accounts.set(account, [...keys, { ...of, wrapped, key: await rung(raw), raw }]);
      return { id: of.id, version };
    },
    dataKey: async (account, key) => {
      this.#ask(`data key ${key}`);
      return this.#sign(this.#version(account, key).edk);
    },
    renewDataKey: async (account, { wrappedKey, accountKey, layer }) => {
      this.#ask(`new data key of ${account}`);
      if (this.#accounts.get(account)?.at(-1)?.id !== accountKey) throw new CofferError("conflict");
      const next = (this.#data.get(account)?.at(-1)?.edk.keyVersion ?? 0) + 1 + this.ahead;
      if (layer && layer.keyVersion !== next) throw new CofferError("conflict");
      await this.renewDataKey(account);
      const { edk } = this.#version(account);
      Object.assign(edk, { wrappedKey, accountKey: { ...edk.accountKey, id: accountKey }, keyVersion: next });
      if (isPairLength(decodeBase64url(wrappedKey).length))
        edk.wrapping = this.#pairs ? "RSA-OAEP-256+A256GCM" : "A256GCM";
      if (layer) edk.layer = { masterKey: layer.masterKey };
      return this.#sign(edk);
    },
    dataKeys: async (account) => {
      this.#ask(`data keys of ${account}`);
      return Promise.all(
        this.#data
          .get(account)!
          .toReversed()
          .map(({ edk }) => this.#sign(edk)),
      );
    },
  };

  #sign(edk: AccountEdk): Promise<string> {
    const { edkSigner } = this.#authority;
    return jws(this.change.edkBy ?? edkSigner, SIGN_TYPE.edk, { ...edk, ...this.change.edk });
  }

  #version(account: string, key?: string): Version {
    const versions = this.#data.get(account) ?? [];
    const named = ({ edk }: Version) => `${edk.keyId}.${edk.keyVersion}` === key;
    const found = key === undefined ? versions.at(-1) : versions.find(named);
    if (!found && key === undefined && this.strict) throw new CofferError("strict-tenant");
    if (!found) throw new CofferError("not-found");
    return found;
  }

  #ask(what: string): void {
    this.asked.push(what);
    if (this.offline) throw new CofferError("offline");
  }
}
