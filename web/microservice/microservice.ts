/** One microservice, serving one custodian: what answers the calls of the port. */

import { encodeBase64url } from "#protocol/base64url.ts";
import { CLOCK_TOLERANCE, seconds } from "#protocol/clock.ts";
import type { Enrol } from "#protocol/enrolment.ts";
import {
  type Header,
  type KeptMessage,
  MESSAGE_ID_LENGTH,
  open,
  openExcerpt,
  parseHeader,
  seal,
} from "#protocol/envelope/index.ts";
import { CofferError, codeOf, type ErrorCode } from "#protocol/error.ts";
import {
  canonicalJws,
  edkDigests,
  edkProviderInfo,
  isLocalKey,
  operationsOf,
  type TrustList,
} from "#protocol/keys/index.ts";
import type { Level } from "#protocol/level.ts";
import { parseCertificate } from "#protocol/pki/index.ts";
import { evaluate, type KeyOperation, type Tier } from "#protocol/policy/index.ts";
import {
  type EncryptionContext,
  type InstanceDescription,
  PORT_VERSION,
  type PortHandler,
} from "#protocol/port/index.ts";
import type { Attester } from "./credentials.ts";
import type { Crypto } from "./crypto.ts";
import { enrol, renew, verifyInstance } from "./enrol.ts";
import { edkOf, entriesOf, keyOf, secretOf } from "./header.ts";
import { checkRecord, isFor } from "./key-record.ts";
import { generateInstanceKeys, type HostKeys, type InstanceKeys } from "./keys.ts";
import {
  type AppKeyStore,
  type Authorities,
  Ladder,
  makeSecret,
  openSecret,
  type Step,
  type TokenOptions,
  type Watch,
} from "./ladder/index.ts";
import { loadKey, loadsOf } from "./loading.ts";
import { Mutual } from "./mutual.ts";
import { cryptoOperations } from "./operations/index.ts";
import { generateSealable, openKeys, passkeyKey } from "./passkey-keys.ts";
import type { Peers } from "./peers.ts";
import type { KeyServer } from "./presentation.ts";
import type { Registration } from "./registration.ts";
import { endOf, KeyRing, type LoadedKey } from "./ring.ts";
import { settleSessions } from "./sessions.ts";
import { openAll } from "./short-messages.ts";
import type { OpenEnveloped } from "./signing-key.ts";
import { entrust, entrustedKey } from "./stateless.ts";
import {
  type AppKeyCopy,
  atRest,
  type InstanceRecord,
  isLocked,
  type LockedRecord,
  lineOf,
  loadOf,
  type MessageName,
  type MessageRecord,
  STORE_VERSION,
  type Store,
} from "./store.ts";
import { Versions } from "./versions.ts";

/** `listing`: the copy of metadata that a list is drawn from. `data`: what is encrypted in one piece and is no document. */
const PURPOSES = ["document", "metadata", "listing", "index", "data"];
/** What a KMS that is not this deployment's gets to: the instance does not begin. */
const UNTRUE: ReadonlySet<ErrorCode> = new Set(["key-refused", "key-superseded", "key-unusable"]);
/** Asked again: nobody has decided. */
const LATER: ReadonlySet<ErrorCode> = new Set([
  "offline",
  "answer-invalid",
  "hsm-unavailable",
  "too-many-requests",
]);
/** An instance is renewed when this part of its life is left. */
const RENEWED = 1 / 4;
/** Milliseconds after which it asks again, at the longest. */
const ASKED_AGAIN = 5 * 60_000;
const TIME_TO_LIVE = 10 * 60_000;

export type MicroserviceOptions = {
  crypto: Crypto;
  store: Store;
  registration: Registration;
  /** Root SPKI, DER: pinned when this code was built. */
  rootKey: Uint8Array<ArrayBuffer>;
  /** Origin of the one custodian, as the host has established it, not as the custodian says. */
  origin: string;
  /** Of the running code, as the loader measured it: `sha384-<base64>`. */
  measurement: string;
  /** Milliseconds since 1970. */
  now(): number;
  schedule(task: () => void, delay: number): void;
  /** Milliseconds that a data key stays in memory after its last use. Default: ten minutes. */
  timeToLive?: number;
  /** Other instances of this browser; none where there is but one. */
  peers?: Peers;
  /** The platform of the enclave that this code runs in (M4); none where it runs in no enclave. */
  attester?: Attester;
  /** Opens a data key that came in CMS (M19); none where no enclave can be. */
  openEnveloped?: OpenEnveloped;
  /** The app-specific key, where the host keeps one or has a device for it; default: made for each enrolment. */
  appKey?: () => Promise<HostKeys>;
  /**
   * Whether a custodian has to prove by its certificate who it is before any key is used (M14); default: no, where nobody else can
   * have the port, or the host has authenticated who is behind it by mutual TLS.
   */
  mutual?: boolean | undefined;
  /** Where the host keeps a symmetric app-specific key, which is encrypted to the other one; default: with the instance, in the store. */
  symmetricKey?: AppKeyStore;
  /** KMS and IAM for an instance at level `account` or `master`; without them it does as one at level `data`. */
  authorities?(of: Omit<TokenOptions, "rest" | "vault">): Authorities;
  /** The KMS, for keys that come by grant; none where the host brings none. */
  keyServer?: KeyServer;
  /** Milliseconds that encrypted keys are used after they came, at level `master`. Default: one hour. */
  copiesTimeToLive?: number;
  /** What this host has asked the edge for since it was asked this last; default: nothing is told. */
  asked?(): Standing["asked"];
  /** Told of every message and key of the ladder, in order. */
  watch?: Watch;
  /** Asks the host to keep the store when space runs out; called once an instance has been stored. */
  persist?(): Promise<unknown>;
};

export type Microservice = PortHandler & {
  /** Deletes all data keys from memory. */
  clear(): void;
};

type Standing = Awaited<ReturnType<PortHandler["standing"]>>;

type Verified = { record: InstanceRecord; trust: TrustList; tier: Tier; level: Level };
/** `ladder`: above level `data`. */
type Live = Verified & { ladder: Ladder | undefined };

/** Makes a microservice. It knows its custodian after the first hello, and serves that one alone (M13). */
export function createMicroservice(options: MicroserviceOptions): Microservice {
  const { crypto, store, origin, rootKey, now, peers, openEnveloped } = options;
  const { subtle } = crypto;
  const root = encodeBase64url(rootKey);
  const ring = new KeyRing<LoadedKey>({ timeToLive: TIME_TO_LIVE, ...options });
  const versions = new Versions(store);
  let custodian: string | undefined;
  let live: Live | undefined;
  let keys: Promise<InstanceKeys> | undefined;
  /** The stored instance, as long as its passkey has not been shown. */
  let locked: LockedRecord | undefined;
  let unlocking: Promise<{ unlocked: boolean }> | undefined;
  let other = options.mutual ? new Mutual(crypto, now) : undefined;
  /** The vault's session, as far as it is known. */
  let session: string | undefined;
  /** How often everything here was ended. */
  let ended = 0;
  /** Aborts what streams through when everything is ended. */
  let life = new AbortController();

  peers?.listen((told) => {
    const own = live?.record.session ?? session;
    if (told.origin === null ? own !== told.live : told.origin === origin) end();
  });

  /** The enrolled instance; throws `not-enrolled` when there is none or its certificates have ended. */
  function enrolled(): Live {
    if (!live || !(now() < live.record.notAfter)) {
      ring.clear();
      throw new CofferError("not-enrolled");
    }
    return live;
  }

  /** Whether it is the enrolled instance still, be it by renewal. */
  function isServed(record: InstanceRecord): boolean {
    return live !== undefined && now() < live.record.notAfter && lineOf(live.record) === lineOf(record);
  }

  /** The enrolled instance, for a custodian that has proved who it is where it must: on every request (M13). */
  function serving(): Live {
    const found = enrolled();
    other?.require();
    return found;
  }

  /** Takes an instance into use, until its certificates end. */
  function begin(verified: Verified): void {
    live?.ladder?.end();
    const begun = { ...verified, ladder: ladderOf(verified) };
    live = begun;
    const { notAfter } = begun.record;
    options.schedule(() => {
      if (live === begun) end();
      void store.deleteEnded({ live: undefined, now: now() }).catch(() => {});
    }, notAfter - now());
    // At the other levels its custodian has to name each instance to the IAM.
    if (begun.level === "data") renewInTime(begun, RENEWED * lifeOf(begun.record));
  }

  /** Renews an instance when no more than `left` of its time is left, milliseconds: by itself, whoever asks for what meanwhile. */
  function renewInTime(begun: Live, left: number): void {
    const { record } = begun;
    options.schedule(
      async () => {
        if (live !== begun || !(now() < record.notAfter)) return;
        await renewed(begun).catch((error: unknown) => {
          // Who cannot be reached is asked again, before what it may have done ends these certificates; who has said no has said no.
          const rest = record.notAfter - now();
          if (LATER.has(codeOf(error))) renewInTime(begun, Math.max(rest / 2, rest - ASKED_AGAIN));
        });
      },
      Math.max(0, record.notAfter - left - now()),
    );
  }

  async function renewed(begun: Live): Promise<void> {
    const began = ended;
    const { registration } = options;
    const minSerial = await store.trustSerial(root);
    const record = await renew(begun.record, { subtle, registration, rootKey, minSerial, now: now() });
    const verified = await verifyInstance(record, { subtle, rootKey, minSerial, now: now() });
    await store.keepTrustSerial(root, verified.trust.serial);
    if (ended !== began || live !== begun) return;
    await store.replaceInstance(atRest(record));
    if (ended !== began) await store.deleteInstances(origin);
    else begin({ record, ...verified });
  }

  /** At level `master` an instance knows its KMS before it serves anybody (W4, W9). */
  async function meet(begun: Live | undefined): Promise<void> {
    await begun?.ladder?.start().catch((error: unknown) => {
      // Who could not answer is asked again when the first key is wanted.
      if (!UNTRUE.has(codeOf(error))) return;
      if (live === begun) live = undefined;
      throw error;
    });
  }

  function ladderOf({ record, trust, level }: Verified): Ladder | undefined {
    const { authorities, watch } = options;
    if (level === "data" || !authorities) return undefined;
    watch?.({ step: "read", what: "app-specific key" });
    const { wrappingKey, wrappingCertificate, custodian } = record;
    const of = { timeToLive: TIME_TO_LIVE, ...options, level, trust, wrappingKey, wrappingCertificate };
    const asked = authorities({ crypto, record, now, watch });
    let { appKey } = record;
    const appKeys = options.symmetricKey ?? {
      read: async () => appKey,
      keep: async (copy: AppKeyCopy) => {
        appKey = copy;
        await store.keepAppKey(record, copy);
      },
    };
    return new Ladder({ ...of, appKeys, tenant: tenantOf(custodian), authorities: asked });
  }

  /** The key of an EDK, from the ring, or unwrapped from the store again, with every check made again. */
  async function find(edk: string): Promise<LoadedKey | undefined> {
    const { record, trust } = serving();
    const name = canonicalJws(edk);
    const held = ring.take(name);
    if (held) return held;
    const [edkDigest, otherForm] = await edkDigests(edk);
    // Earlier code kept it by the form that it came in.
    const stored =
      (await store.loadedKey(lineOf(record), edkDigest)) ??
      (await store.loadedKey(lineOf(record), otherForm));
    if (!stored) return undefined;
    try {
      const key = await loadKey(
        { subtle, record, trust, now: now(), openEnveloped },
        { ...loadOf(stored), edk },
      );
      if (!isServed(record)) return undefined;
      ring.put(name, key, endOf(key));
      return key;
    } catch {
      await store.deleteLoadedKey(lineOf(record), stored.edkDigest);
      return undefined;
    }
  }

  /** A key that is loaded, or that the request brings. Throws `key-missing`, `key-refused`. */
  async function loadedKey(edk: string): Promise<LoadedKey> {
    if (isLocalKey(edk)) return entrustedKey(subtle, serving().record, edk, openEnveloped);
    const loaded = await find(edk);
    if (!loaded) throw new CofferError("key-missing");
    return loaded;
  }

  /** The key, for an operation that policy allows, in a context that is the key's own. */
  function allowed<K extends LoadedKey>(loaded: K, operation: KeyOperation, context: EncryptionContext): K {
    const { tenant, purpose } = context;
    if (tenant !== loaded.edk.tenant || !isFor(loaded.edk, context) || !PURPOSES.includes(purpose ?? "")) {
      throw new CofferError("context-mismatch");
    }
    return permitted(loaded, operation);
  }

  /** The key, for an operation that its kind has and every policy allows (M12). */
  function permitted<K extends LoadedKey>(loaded: K, operation: KeyOperation): K {
    const { record, tier } = serving();
    if (!operationsOf(loaded.edk.algorithm).includes(operation)) throw new CofferError("forbidden");
    const request = {
      action: operation,
      principal: record.custodian,
      tier,
      wrapping: loaded.wrapping,
      now: seconds(now()),
    };
    const { edk: ofKey, receipt } = loaded;
    const decision = evaluate(receipt ? [ofKey.policy, receipt.policy] : [ofKey.policy], request);
    if (!decision.allowed) throw new CofferError("forbidden", { message: decision.reason });
    return loaded;
  }

  /**
   * Holds the name that a page gives itself against the session that the vault's own origin knows (M13), and ends what is
   * of another session. Without a network nobody can be asked, and a stored instance serves the name that it was enrolled
   * for (M18): it is there only while its session lasts as far as this browser knows. Errors: `no-session`,
   * `foreign-custodian`.
   */
  async function admit(name: string): Promise<void> {
    const settled = { store, registration: options.registration, peers, now };
    const found = await settleSessions(settled).catch((error: unknown) => {
      if (codeOf(error) === "no-session") end();
      throw error;
    });
    if (!found) return;
    if (live && live.record.session !== found.session) end();
    ({ session } = found);
    if (name !== `CN=${found.user},OU=${origin},O=${found.tenant}`)
      throw new CofferError("foreign-custodian");
  }

  /** Drops what is held in memory and stops what streams; an enrolment or a load under way does not bring it back. */
  function end(): void {
    ended++;
    ring.clear();
    versions.clear();
    live?.ladder?.end();
    live = undefined;
    locked = undefined;
    unlocking = undefined;
    keys = undefined;
    session = undefined;
    if (other) other = new Mutual(crypto, now);
    life.abort(new CofferError("no-session"));
    life = new AbortController();
  }

  const microservice: Microservice = {
    ...cryptoOperations({
      ...{ subtle, random: crypto.random },
      seal: (...of) => microservice.seal(...of),
      open: (...of) => microservice.open(...of),
      key: async (edk, operation) => permitted(await loadedKey(edk), operation),
    }),

    async hello(params) {
      await admit(params.custodian);
      if (custodian !== undefined && custodian !== params.custodian)
        throw new CofferError("foreign-custodian");
      custodian = params.custodian;
      const began = ended;
      if (live) locked = undefined;
      const found = live ?? (await restore(custodian));
      if (ended !== began) throw new CofferError("no-session");
      if (!live && found) begin(found);
      await meet(live);
      if (ended !== began) throw new CofferError("no-session");
      const valid = live && now() < live.record.notAfter ? live.record : null;
      // The keys are made while the custodian fetches its grant.
      if (!valid && !locked) void prepareKeys();
      return {
        version: PORT_VERSION,
        measurement: options.measurement,
        environment: (await options.attester?.environment()) ?? "software",
        instance: valid && describe(valid, live?.level),
        ...(locked && { locked: true }),
        ...(other && { challenge: other.challenge() }),
      };
    },

    async enrol(handed) {
      if (custodian === undefined) throw new CofferError("hello-required");
      const began = ended;
      const sealing = await sealableFor(handed);
      // Keys belong to one ceremony, also when two begin at once: no two certificate requests for the same keys.
      const making = sealing?.keys ?? prepareKeys();
      keys = undefined;
      const fresh = await making;
      const { registration } = options;
      const own = session ?? (await registration.session()).session;
      session = own;
      const minSerial = await store.trustSerial(root);
      const ceremony = {
        ...{ subtle, registration, rootKey, origin, custodian, minSerial, session: own },
        ...{ keys: fresh, sealable: sealing?.sealable },
        attester: options.attester,
        now: now(),
      };
      const record = await enrol(handed, ceremony);
      const verified = await verifyInstance(record, ceremony);
      await store.keepTrustSerial(root, verified.trust.serial);
      if (ended !== began) throw new CofferError("no-session");
      locked = undefined;
      await store.replaceInstance(atRest(record));
      if (ended !== began) {
        await store.deleteInstances(origin);
        throw new CofferError("no-session");
      }
      ring.clear();
      // Above level `data` it gets no token before its custodian has named it to the IAM: the next hello asks for one.
      begin({ record, ...verified });
      // The browser may refuse; then the instance enrols again one day.
      void options.persist?.().catch(() => {});
      return describe(record, verified.level);
    },

    // A second call waits for the same passkey.
    unlock: () => (unlocking ??= unlockOnce()),

    async authenticate(proof) {
      const { record } = enrolled();
      const { measurement } = options;
      if (!other) throw new CofferError("version-unsupported");
      return other.authenticate(proof, { record, rootKey, measurement });
    },

    async certificate({ attest }) {
      const der = serving().record.wrappingCertificate;
      const attested = attest && (await options.attester?.attestKey?.(parseCertificate(der).spki));
      return {
        certificate: encodeBase64url(der),
        ...(attested && { attestation: encodeBase64url(attested) }),
      };
    },

    async load(handed) {
      const { record, trust } = serving();
      const { keyServer } = options;
      const { loads, channel } = await loadsOf(handed, { ...crypto, record, trust, keyServer, now: now() });
      // All of them, or none.
      const loading = loads.map(async (load) => {
        const key = await loadKey({ subtle, record, trust, now: now(), channel, openEnveloped }, load);
        return { key, load, edkDigest: (await edkDigests(load.edk))[0] };
      });
      const loaded = await Promise.all(loading);
      if (!isServed(record)) throw new CofferError("not-enrolled");
      for (const { key, load } of loaded) ring.put(canonicalJws(load.edk), key, endOf(key));
      const of = { version: STORE_VERSION, instance: lineOf(record), loaded: now() } as const;
      // Without it a key only has to be fetched again: no reason to fail.
      await store
        .putLoadedKeys(loaded.map(({ load, edkDigest }) => ({ ...of, edkDigest, ...load })))
        .catch(() => {});
      const [first, ...others] = loaded.map(({ key: { edk } }) => {
        return { keyId: edk.keyId, keyVersion: edk.keyVersion };
      });
      if (!first) throw new CofferError("key-missing");
      return others.length > 0 ? { ...first, others } : first;
    },

    async entrust({ edks }) {
      const { record } = serving();
      const keys = await Promise.all(edks.map(async (edk) => entrust(crypto, record, await loadedKey(edk))));
      if (!isServed(record)) throw new CofferError("not-enrolled");
      for (const edk of edks) {
        ring.delete(canonicalJws(edk));
        for (const form of await edkDigests(edk)) await store.deleteLoadedKey(lineOf(record), form);
      }
      return { keys };
    },

    async has({ edk }) {
      return { loaded: (await find(edk)) !== undefined };
    },

    async lock() {
      lock();
      return {};
    },

    async prefetch({ account }) {
      await serving().ladder?.prefetch(account);
      return {};
    },

    async renew({ account, key }) {
      const { ladder } = serving();
      if (!ladder) throw new CofferError("key-missing");
      if (key === "account") {
        const { id, version } = await ladder.renewAccount(account);
        return { keyId: id, keyVersion: version };
      }
      const { keyId, keyVersion } = await ladder.renew(account);
      return { keyId, keyVersion };
    },

    async replaceAppKey() {
      const { ladder } = serving();
      if (!ladder) throw new CofferError("key-missing");
      return { id: await ladder.replaceAppKey() };
    },

    async standing() {
      const { ladder } = serving();
      const own = ring.held().map(({ key: { edk, wrapping = "" }, left }) => {
        const { account, wrapping: under } = edk;
        return {
          what: "data key",
          key: edkProviderInfo(edk),
          left,
          under,
          wrapping,
          ...(account && { account }),
        };
      });
      const keys = [...(ladder?.held() ?? []), ...own].map((key) => ({ ...key, left: Math.ceil(key.left) }));
      return { keys, asked: options.asked?.() ?? [] };
    },

    async inspect({ header }) {
      const parsed = parseHeader(new Uint8Array(header));
      if (!parsed) throw new CofferError("decrypt-failed");
      return { edk: edkOf(parsed), context: { ...parsed.context } };
    },

    async unfinished() {
      const kept = await store.messages({ origin, custodian: serving().record.custodian });
      const contexts = kept.map(
        ({ context }) => Object.fromEntries(JSON.parse(context)) as EncryptionContext,
      );
      return { contexts };
    },

    async discard({ context }) {
      await store.deleteMessage(nameOf(context));
      return {};
    },

    async seal({ edk, context, keep = false }, input, signal) {
      const { signal: alive } = life;
      const { key, edk: metadata, jws, layer, pair } = await sealingKey(edk, context);
      const { random } = crypto;
      const made = pair && (await makeSecret(crypto, pair));
      const kept = keep ? await keptMessage(context, made) : undefined;
      const secret = pair && (kept?.secret ?? made);
      const dataKey =
        pair && secret
          ? await openSecret(subtle, pair, secret).catch((cause: unknown) => {
              // Begun under another data key, it is another message.
              throw new CofferError(kept?.secret ? "source-changed" : "key-refused", { cause });
            })
          : key;
      const until = AbortSignal.any([signal, alive]);
      const under = { dataKey, encryptedDataKeys: entriesOf(metadata, jws, secret), layer, kept };
      return seal(input, { subtle, random, context, ...under, signal: until });
    },

    async open({ context, excerpt, key }, input, signal) {
      const dataKey = async (header: Header) => {
        const { account = "", document = "", purpose } = context;
        const row = purpose === "document" ? await versions.row(owner(), account, document) : undefined;
        if (row?.deleted) throw new CofferError("document-deleted");
        if (row?.messageId !== undefined && row.messageId !== encodeBase64url(header.messageId))
          throw new CofferError("document-changed");
        // The header's context equals this one by now, so a key of another account is a document put together by hand.
        const loaded = await openingKey(header, context, key).catch((error: unknown) => {
          throw codeOf(error) === "context-mismatch" ? new CofferError("decrypt-failed") : error;
        });
        await checkRecord(loaded.edk, purpose, header);
        tell({ step: "decrypt", what: "document", account: context.account ?? "" });
        return loaded.pair ? openSecret(subtle, loaded.pair, secretOf(header)) : loaded.key;
      };
      const layerKey = async (id: string) => {
        const { ladder } = enrolled();
        if (!ladder) throw new CofferError("decrypt-failed");
        return ladder.layerKey(id);
      };
      const until = AbortSignal.any([signal, life.signal]);
      const options = { subtle, dataKey, layerKey, context, signal: until };
      return excerpt ? openExcerpt(input, excerpt, options) : open(input, options);
    },

    async openAll({ messages }) {
      return openAll(microservice, messages);
    },

    async versions(page) {
      return versions.take(owner(), page);
    },

    async compare(served) {
      return versions.compare(owner(), served);
    },

    async forget() {
      end();
      await store.deleteInstances(origin);
      peers?.tell({ origin, live: null });
      return {};
    },

    clear: lock,
  };
  return microservice;

  function lock(): void {
    ring.clear();
    live?.ladder?.lock();
  }

  /** Whose version indexes are verified here. */
  function owner() {
    const { record, trust } = serving();
    return { origin, custodian: record.custodian, tenant: tenantOf(record.custodian), trust, now: now() };
  }

  function tell(step: Step): void {
    if (live?.ladder) options.watch?.(step);
  }

  /** The key to seal with: a loaded one, or at level `master`, where none is named, the account's current one (W4). */
  async function sealingKey(edk: string | undefined, context: EncryptionContext) {
    const { ladder } = serving();
    if (edk !== undefined) {
      const loaded = allowed(await loadedKey(edk), "encrypt", context);
      return { ...loaded, jws: loaded.jws ?? edk, layer: undefined };
    }
    const { account = "" } = context;
    tell({ step: "receive", what: "data", account });
    if (!ladder) throw new CofferError("key-missing");
    const key = allowed(await ladder.sealing(account), "encrypt", context);
    const layer = await ladder.sealingLayer();
    tell({ step: "encrypt", what: "data", account });
    return { ...key, layer };
  }

  /** What an unfinished message is kept by: it is this custodian's, and bound to this context. */
  function nameOf(context: EncryptionContext): MessageName {
    const { custodian } = serving().record;
    return { origin, custodian, context: JSON.stringify(Object.entries(context).sort()) };
  }

  /** The message of this context that may be gone on with, or a new one, kept from now on. */
  async function keptMessage(
    context: EncryptionContext,
    secret?: Uint8Array<ArrayBuffer>,
  ): Promise<KeptMessage & Pick<MessageRecord, "secret">> {
    const { session } = serving().record;
    const name = nameOf(context);
    const fresh = crypto.random(new Uint8Array(MESSAGE_ID_LENGTH));
    const { messageId, secret: begun } = await store.keepMessage({
      ...{ ...name, messageId: fresh, begun: now() },
      ...(session !== undefined && { session }),
      ...(secret && { secret }),
    });
    return { messageId, secret: begun, settle: (first, tags) => store.settle(name, messageId, first, tags) };
  }

  /** The key that a header names, loaded or brought with the request; at level `master` the instance asks for it (W2). */
  async function openingKey(header: Header, context: EncryptionContext, key?: string): Promise<LoadedKey> {
    const { ladder } = serving();
    const { account = "" } = context;
    // One that is not the header's own does not fit its commitment.
    if (key !== undefined) return allowed(await loadedKey(key), "decrypt", context);
    if (!ladder) return allowed(await loadedKey(edkOf(header)), "decrypt", context);
    tell({ step: "receive", what: "document", account });
    return allowed(await ladder.opening(account, keyOf(header), edkOf(header)), "decrypt", context);
  }

  function prepareKeys(): Promise<InstanceKeys> {
    if (!keys) {
      const made = generateInstanceKeys(subtle, options.appKey);
      made.catch(() => {
        if (keys === made) keys = undefined;
      });
      keys = made;
    }
    return keys;
  }

  /** Keys that can be kept under the passkey which is shown as evidence. None where the engine cannot wrap them, and where the host has the app-specific one. */
  async function sealableFor({ method }: Enrol) {
    if (method !== "attestation" || !options.attester?.unlock || options.appKey) return undefined;
    return generateSealable(crypto).catch(() => undefined);
  }

  async function unlockOnce() {
    const [record, began] = [locked, ended];
    locked = undefined;
    const output = await (record && options.attester?.unlock?.(record.sealed).catch(() => null));
    const found = record && output && (await unlocked(record, output).catch(() => undefined));
    if (ended !== began) throw new CofferError("no-session");
    unlocking = undefined;
    // Another may have been enrolled while the passkey was asked for.
    if (found && !live) begin(found);
    return { unlocked: Boolean(found) };
  }

  /** The instance that a passkey was kept for, with its keys. Throws for what is not its secret, and for what does not hold any more. */
  async function unlocked(record: LockedRecord, output: Uint8Array<ArrayBuffer>): Promise<Verified> {
    const key = await passkeyKey(subtle, output, "decrypt");
    const { hybrid: certified, ...rest } = record;
    const { hybrid, ...keys } = await openKeys(subtle, record, record.sealed, key);
    const opened = { ...rest, ...keys, ...(certified && hybrid && { hybrid: { ...certified, ...hybrid } }) };
    const minSerial = await store.trustSerial(root);
    const verified = await verifyInstance(opened, { subtle, rootKey, minSerial, now: now() });
    return { record: opened, ...verified };
  }

  /** The stored instance of this custodian, if it still holds in every respect. */
  async function restore(name: string): Promise<Verified | undefined> {
    const record = await store.instance(origin, name);
    locked = undefined;
    if (!record) return undefined;
    if (isLocked(record)) {
      const holds = now() < record.notAfter;
      locked = holds && options.attester?.unlock ? record : undefined;
      return undefined;
    }
    try {
      const minSerial = await store.trustSerial(root);
      return { record, ...(await verifyInstance(record, { subtle, rootKey, minSerial, now: now() })) };
    } catch {
      return undefined;
    }
  }
}

/** Milliseconds from its enrolment to its end. Certificates begin earlier, for clocks that are behind. */
function lifeOf({ wrappingCertificate, notAfter }: InstanceRecord): number {
  return notAfter - parseCertificate(wrappingCertificate).notBefore - CLOCK_TOLERANCE * 1000;
}

/** Of a Distinguished Name as the IAM forms it: nothing in it needs escaping. */
function tenantOf(custodian: string): string {
  return custodian.slice(custodian.lastIndexOf(",O=") + 3);
}

function describe(record: InstanceRecord, level?: Level): InstanceDescription {
  return {
    id: record.id,
    custodian: record.custodian,
    wrappingCertificate: encodeBase64url(record.wrappingCertificate),
    notAfter: new Date(record.notAfter).toISOString(),
    method: record.method,
    ...(level === undefined || level === "data"
      ? {}
      : { level, identityCertificate: encodeBase64url(record.identityCertificate) }),
  };
}
