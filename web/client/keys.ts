/**
 * Data keys on their way from the HSM to the microservice (M6, M8). What passes here is encrypted to somebody else: an EDK
 * to the account key, a wrapped key to the microservice. The custodian archives and forwards, and can read neither.
 */

import { loadKey, makeDataKeys, metadataKey, rotateKey } from "#protocol/contract/index.ts";
import { CofferError, codeOf, type ErrorCode } from "#protocol/error.ts";
import type { KeyAlgorithm } from "#protocol/keys/algorithm.ts";
import { isForAttested, isOfSeed, requestFor } from "#protocol/keys/loading/index.ts";
import { callJson } from "./call.ts";
import { ASKED_AT_ONCE, inTurns } from "./in-turns.ts";
import type { EnrolledMicroservice, Microservice } from "./microservice.ts";
import type { RestClient } from "./rest.ts";

/** Keys asked for in one request: one to use, the rest ahead; and as many as one can be asked for once somebody had to wait for the next ones. */
const BATCH = 4;
const MAX_BATCH = 16;
/** Keys that are had ahead then: while some are made and loaded, as many short documents are sealed. */
const AHEAD = 24;
/** How long a key that was there is taken to be there still, of a steady clock: one that is not is found by its microservice, or fails as missing. Milliseconds. */
const SURE = 5_000;
/** Keys of which that is known at a time. */
const MAX_SURE = 256;
/** How long a metadata key is taken for the current one. Milliseconds. */
const LISTING_LIFE = 5 * 60_000;

/** The registry or the microservice knows no such instance any more: revoked, expired, or replaced on the other side. */
export const STALE: ReadonlySet<ErrorCode> = new Set(["not-recipient", "not-enrolled"]);

/** Fresh and known data keys, loaded into the microservice when they are needed. */
export class DataKeys {
  readonly #rest: Pick<RestClient, "json">;
  readonly #microservice: Pick<Microservice, "use" | "renew">;
  readonly #kept: { custody?: "kms" };
  readonly #fresh = new Map<string, string[]>();
  readonly #fetching = new Map<string, Promise<void>>();
  readonly #loading = new Map<string, Promise<void>>();
  readonly #listing = new Map<string, { key: Promise<string>; at: number }>();
  /** Keys that a microservice has said it has, and until when that counts. */
  readonly #sure = new Map<string, number>();
  /** Accounts of which a key was taken. */
  readonly #taken = new Set<string>();
  #batch = BATCH;

  /** `custody`: who keeps the keys that are made, where it is not the documents. */
  constructor(
    rest: Pick<RestClient, "json">,
    microservice: Pick<Microservice, "use" | "renew">,
    custody?: "kms",
  ) {
    this.#kept = custody === undefined ? {} : { custody };
    this.#rest = rest;
    this.#microservice = microservice;
  }

  /**
   * A data key that no document has used yet, loaded. One is given once; the next ones are fetched ahead. None for an
   * instance above level `data`, which has the account's key itself.
   */
  async take(account: string, signal?: AbortSignal): Promise<string | undefined> {
    if (findsKeys(await this.#microservice.use())) return undefined;
    let edk = this.#pool(account).shift();
    while (edk === undefined) {
      signal?.throwIfAborted();
      if (this.#taken.has(account)) this.#batch = MAX_BATCH;
      await this.#fetch(account);
      edk = this.#pool(account).shift();
    }
    this.#taken.add(account);
    await this.ensure(edk, signal);
    this.#ahead(account);
    return edk;
  }

  /** The data key of a message that is gone on with, loaded; none for an instance that has the account's key itself. */
  async again(edk: string, signal?: AbortSignal): Promise<string | undefined> {
    if (findsKeys(await this.#microservice.use())) return undefined;
    await this.ensure(edk, signal);
    return edk;
  }

  /**
   * A new data key for operations in one piece, or a pair that signs (M17), loaded: its EDK, which the caller keeps. Errors: `forbidden`, `key-missing`
   * for an instance above level `data`, which finds keys of documents itself.
   */
  async make(account: string, algorithm: KeyAlgorithm, signal?: AbortSignal): Promise<string> {
    const request = { account, count: 1, ...orderOf(algorithm), ...this.#kept };
    const { edks } = await callJson(this.#rest, makeDataKeys, {}, request, { tries: 3 });
    const [edk] = edks;
    if (edk === undefined) throw new CofferError("answer-invalid");
    await this.ensure(edk, signal);
    return edk;
  }

  /** Data keys that no document has used, all of them loaded, for documents that are sealed later without the network. At most `MAX_BATCH`. */
  async ready(account: string, count: number): Promise<string[]> {
    const request = { account, count, purpose: "document", ...this.#kept } as const;
    const { edks } = await callJson(this.#rest, makeDataKeys, {}, request, { tries: 3 });
    await this.#bringSeveral(edks, await this.#microservice.use());
    return edks;
  }

  /** Which of these, 100 at most, are loaded; those that were not are asked for first, in one request. */
  async have(edks: readonly string[]): Promise<ReadonlySet<string>> {
    const enrolled = await this.#microservice.use();
    if (findsKeys(enrolled)) return new Set(edks);
    const loaded = await Promise.all(inTurns(edks, ASKED_AT_ONCE, (edk) => enrolled.port.has(edk)));
    const missing = edks.filter((_, at) => !loaded[at]);
    const came =
      missing.length > 0 &&
      (await this.#bringSeveral(missing, enrolled).then(
        () => true,
        () => false,
      ));
    return new Set(came ? edks : edks.filter((_, at) => loaded[at]));
  }

  /** The account's metadata key, loaded; `fresh`: asked for now. None for an instance above level `data`, which finds a key itself. */
  async listing(account: string, at?: EnrolledMicroservice, fresh = false): Promise<string | undefined> {
    const enrolled = at ?? (await this.#microservice.use());
    if (findsKeys(enrolled)) return undefined;
    let asked = this.#listing.get(account);
    // A member may have left since: then it is another one.
    if (!asked || fresh || performance.now() > asked.at + LISTING_LIFE) {
      const key = callJson(this.#rest, metadataKey, { account }, {}, { tries: 3 }).then(({ edk }) => edk);
      const asking = { key, at: performance.now() };
      asked = asking;
      this.#listing.set(account, asking);
      key.catch(() => this.#listing.get(account) === asking && this.#listing.delete(account));
    }
    const edk = await asked.key;
    await this.ensure(edk, undefined, enrolled);
    return edk;
  }

  /**
   * The next version of a key that `make` has given, loaded: its EDK. The one before opens and verifies, and does nothing else from its next load
   * on. Errors: `conflict` for a version that is not the newest.
   */
  async rotate(edk: string, signal?: AbortSignal): Promise<string> {
    const { instance } = await this.#microservice.use();
    const certificate = instance.wrappingCertificate;
    const next = await callJson(this.#rest, rotateKey, {}, { edk, certificate });
    await this.ensure(next.edk, signal);
    return next.edk;
  }

  /** Has keys ready before they are needed. Failures show when one is. */
  async prepare(account: string): Promise<void> {
    try {
      const enrolled = await this.#microservice.use();
      if (findsKeys(enrolled)) await enrolled.port.prefetch(account);
      else {
        this.#ahead(account);
        await this.listing(account);
      }
    } catch {}
  }

  /** Uses no key that was asked for before now: the account has another key, and those are under the one before. */
  discard(account: string): void {
    this.#fresh.delete(account);
    this.#fetching.delete(account);
    this.#listing.delete(account);
  }

  #ahead(account: string): void {
    const pool = this.#pool(account);
    const [first] = pool;
    if (first) {
      this.ensure(first).catch(() => {});
      // Where many are wanted, the next ones are on their way before these are used up.
      if (this.#batch > BATCH && pool.length < AHEAD) this.#fetch(account).catch(() => {});
    } else {
      this.#fetch(account).then(
        () => this.#pool(account).length > 0 && this.#ahead(account),
        () => {},
      );
    }
  }

  /** In one request; each by itself where that fails. */
  #loadAll(edks: readonly string[], enrolled: EnrolledMicroservice): void {
    const loading = this.#bringSeveral(edks, enrolled);
    for (const edk of edks) {
      const name = nameOf(edk, enrolled);
      const one = loading.catch(() => this.#load(edk, enrolled)).finally(() => this.#loading.delete(name));
      one.catch(() => {});
      this.#loading.set(name, one);
    }
  }

  async #bringSeveral(edks: readonly string[], { port, instance }: EnrolledMicroservice): Promise<void> {
    const requests = edks.map((edk) => requestFor(edk, instance.wrappingCertificate));
    const retained = requests.flatMap((request) => (request.way === "retained" ? (request.keys ?? []) : []));
    if (retained.length === edks.length) {
      const [first] = requests;
      if (first?.way === "retained") await port.load({ ...first, keys: retained });
      return;
    }
    const request = { way: "several" as const, edks: [...edks], certificate: instance.wrappingCertificate };
    const shown = edks.some(isForAttested) ? { attestation: await port.attestation() } : {};
    const loaded = await callJson(this.#rest, loadKey, {}, { ...request, ...shown }, { tries: 3 });
    if (loaded.way !== "several") throw new CofferError("unexpected-response");
    await port.load(loaded);
  }

  /**
   * Sees to it that the microservice holds this data key: from its key ring, else from the KMS (M8). `at`: that one in which the
   * caller goes on, which another release may have replaced meanwhile (M21).
   */
  async ensure(edk: string, signal?: AbortSignal, at?: EnrolledMicroservice): Promise<void> {
    const enrolled = at ?? (await this.#microservice.use());
    const name = nameOf(edk, enrolled);
    if (performance.now() > (this.#sure.get(name) ?? 0)) {
      let loading = this.#loading.get(name);
      if (!loading) {
        loading = this.#load(edk, enrolled).finally(() => this.#loading.delete(name));
        this.#loading.set(name, loading);
      }
      await loading;
      if (this.#sure.size >= MAX_SURE) this.#sure.clear();
      this.#sure.set(name, performance.now() + SURE);
    }
    signal?.throwIfAborted();
  }

  /** The same of several: those that are loaded then. An instance above level `data` finds them itself. Error: `signed-out`. */
  async ensureAll(
    edks: readonly string[],
    signal?: AbortSignal,
    at?: EnrolledMicroservice,
  ): Promise<Set<string>> {
    const loaded = new Set<string>();
    for (const edk of edks) {
      try {
        await this.ensure(edk, signal, at);
        loaded.add(edk);
      } catch (error) {
        signal?.throwIfAborted();
        if (codeOf(error) === "signed-out") throw error;
      }
    }
    return loaded;
  }

  async #load(edk: string, enrolled: EnrolledMicroservice): Promise<void> {
    try {
      await this.#bring(edk, enrolled);
    } catch (error) {
      if (!STALE.has(codeOf(error))) throw error;
      await this.#bring(edk, await this.#microservice.renew(enrolled.instance.id));
    }
  }

  async #bring(edk: string, { port, instance }: EnrolledMicroservice): Promise<void> {
    if (findsKeys({ instance }) || (await port.has(edk))) return;
    // Nobody but who has the seed can have it loaded.
    if (isOfSeed(edk)) throw new CofferError("seed-needed");
    const request = requestFor(edk, instance.wrappingCertificate);
    // The instance asks for what the KMS retains.
    if (request.way === "retained") return void (await port.load(request));
    // Asking twice gives the same key wrapped twice, so a lost answer may be asked for again.
    const shown = isForAttested(edk) ? { attestation: await port.attestation() } : {};
    const load = await callJson(this.#rest, loadKey, {}, { ...request, ...shown }, { tries: 3 });
    // Of the EDK that was asked for, whatever the answer says: the microservice finds out if it is another.
    if (load.way === "several") throw new CofferError("unexpected-response");
    await port.load({ ...load, edk });
  }

  #fetch(account: string): Promise<void> {
    let fetching = this.#fetching.get(account);
    if (!fetching) {
      const request = { account, count: this.#batch, purpose: "document", ...this.#kept } as const;
      // Keys of a lost answer are never used.
      const isLast = () => this.#fetching.get(account) === started;
      const started = callJson(this.#rest, makeDataKeys, {}, request, { tries: 3 })
        .then(async ({ edks }) => {
          // Where many are wanted one after the other.
          const enrolled = edks.length > BATCH ? await this.#microservice.use() : undefined;
          if (!isLast()) return;
          if (enrolled) this.#loadAll(edks, enrolled);
          this.#pool(account).push(...edks);
        })
        .finally(() => isLast() && this.#fetching.delete(account));
      fetching = started;
      this.#fetching.set(account, started);
    }
    return fetching;
  }

  #pool(account: string): string[] {
    const pool = this.#fresh.get(account) ?? [];
    this.#fresh.set(account, pool);
    return pool;
  }
}

function orderOf(algorithm: KeyAlgorithm) {
  switch (algorithm) {
    case "AES-256-GCM-HKDF-SHA512-COMMIT-KEY":
    case "HMAC-SHA256-HKDF-SHA512":
      return { purpose: "data", algorithm } as const;
    default:
      return { purpose: "signature", algorithm } as const;
  }
}

/** Above level `data` an instance finds the key of a document itself. */
export function findsKeys({ instance }: Pick<EnrolledMicroservice, "instance">): boolean {
  return instance.level !== undefined;
}

/** A key is loaded into one microservice, and into another again. */
function nameOf(edk: string, { instance }: EnrolledMicroservice): string {
  return `${instance.id} ${edk}`;
}
