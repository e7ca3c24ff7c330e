/**
 * The version index of an account, as the kit uses it: what has changed goes from the KMS to the microservice, which verifies and keeps it,
 * and tells which documents the datastore does not serve as it says.
 */

import {
  type Lead,
  putVersions,
  readVersions,
  type VersionChange,
  type VersionPage,
  type VersionsPut,
} from "#protocol/contract/index.ts";
import { CofferError, codeOf } from "#protocol/error.ts";
import type { Params, Result } from "#protocol/port/index.ts";
import { MAX_ROWS_WRITTEN, type VersionRow } from "#protocol/version-index.ts";
import { inWords, said } from "./amiss.ts";
import { callJson } from "./call.ts";
import type { Microservice } from "./microservice.ts";
import type { RestClient } from "./rest.ts";

/** Tries of a change: the same again is answered as the first time. */
const TRIES = 4;

/** What stands of a document beside its version. */
export type Standing = Omit<VersionRow, "version" | "deleted">;
type Served = Params<"compare">["documents"];
type Waiting = {
  row: VersionRow;
  lead: Lead | undefined;
  settle(conflict: VersionRow | null | undefined): void;
  fail(error: unknown): void;
};

export class VersionIndex {
  readonly #rest: Pick<RestClient, "json">;
  readonly #microservice: Pick<Microservice, "use">;
  readonly #reading = new Map<string, Promise<{ founded: boolean }>>();
  /** Rows that go up together, by account, while those before them are under way. */
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(rest: Pick<RestClient, "json">, microservice: Pick<Microservice, "use">) {
    this.#rest = rest;
    this.#microservice = microservice;
  }

  /**
   * Brings what has changed. Errors: `index-refused` where what the KMS answers is not what the HSM has signed, `index-superseded` for an
   * earlier index than this vault has seen; `offline` and the like. `fresh`: by a request that begins now.
   */
  async sync(account: string, fresh = false): Promise<{ founded: boolean }> {
    // One that is under way may have been answered before what is to be seen.
    if (fresh) await this.#reading.get(account)?.catch(() => {});
    const reading = this.#reading.get(account);
    if (reading) return reading;
    const started = this.#read(account)
      // Rows that were kept here and do not fit are gone by now: once more, from the first.
      .catch((error: unknown) => {
        if (codeOf(error) !== "index-refused") throw error;
        return this.#read(account);
      })
      .finally(() => this.#reading.delete(account));
    this.#reading.set(account, started);
    return started;
  }

  async #read(account: string): Promise<{ founded: boolean }> {
    const { port } = await this.#microservice.use();
    let { sequence } = await port.versions({ account });
    let restarted = false;
    for (;;) {
      const input = { account, after: String(sequence) };
      const page: VersionPage = await callJson(this.#rest, readVersions, input, undefined, { tries: 3 });
      const { rows, head, again } = page;
      const more = { ...(again && { again }), ...(head !== undefined && { head }) };
      const taken = await port.versions({ account, rows, ...more });
      if (head !== undefined) return taken;
      // Pages without end would have no end here either.
      if (again ? restarted : page.sequence <= sequence) throw new CofferError("unexpected-response");
      restarted ||= again === true;
      sequence = page.sequence;
    }
  }

  /** Held against the index as it is known in the vault. */
  async compare(account: string, documents: Served, whole = false): Promise<Result<"compare">> {
    const { port } = await this.#microservice.use();
    return port.compare({ account, documents, whole });
  }

  /**
   * Throws where what is served of a document is not what stands. What has changed meanwhile is asked for first. Errors: `document-changed`,
   * `document-deleted`.
   */
  async check(account: string, served: Served[number]): Promise<void> {
    if (!(await this.#wrong(account, served))) return;
    await this.sync(account, true).catch((error: unknown) => {
      throw inWords(error);
    });
    const wrong = await this.#wrong(account, served);
    if (wrong) throw said(wrong);
  }

  async #wrong(account: string, served: Served[number]) {
    const { changed, deleted } = await this.compare(account, [served]);
    if (changed.length > 0) return "document-changed";
    return deleted.length > 0 ? "document-deleted" : undefined;
  }

  /**
   * Enters a document that is stored now, or what has changed of it. `lead`: as the newest version of another. Error: `conflict` where somebody
   * else has changed it meanwhile, or another is the newest; `not-found` where the one that it is to follow was deleted.
   */
  async enter(account: string, standing: Standing, lead?: Lead, before = 0): Promise<void> {
    const conflict = await this.#put(account, { ...standing, version: before + 1 }, lead);
    if (conflict === undefined) return;
    if (conflict?.deleted && conflict.document !== standing.document)
      throw new CofferError("not-found", { status: 404 });
    // An id that was deleted is used again.
    if (before > 0 || !conflict?.deleted) throw new CofferError("conflict");
    return this.enter(account, standing, lead, conflict.version);
  }

  /** It will be deleted: nobody is to believe that the datastore hides it. */
  async remove(account: string, document: string): Promise<void> {
    await this.#put(account, { document, version: 1, deleted: true });
  }

  /** Documents of releases without an index, all that there are. */
  async found(account: string, documents: readonly Standing[]): Promise<void> {
    const rows = documents.map((standing) => ({ ...standing, version: 1 }));
    do
      await this.#send(account, {
        rows: rows.splice(0, MAX_ROWS_WRITTEN),
        ...(rows.length === 0 && { founded: true }),
      });
    while (rows.length > 0);
  }

  #send(account: string, change: VersionChange): Promise<VersionsPut> {
    return callJson(this.#rest, putVersions, { account }, change, { tries: TRIES });
  }

  /** What stands in its way, null for nothing; undefined when it is entered. */
  #put(account: string, row: VersionRow, lead?: Lead): Promise<VersionRow | null | undefined> {
    return new Promise((settle, fail) => {
      const waiting = this.#waiting.get(account);
      if (waiting) return void waiting.push({ row, lead, settle, fail });
      const first: Waiting[] = [{ row, lead, settle, fail }];
      this.#waiting.set(account, first);
      void this.#sendAll(account);
    });
  }

  /** One request after the other, each with all that has come meanwhile. */
  async #sendAll(account: string): Promise<void> {
    const waiting = this.#waiting.get(account) ?? [];
    while (waiting.length > 0) {
      const some = waiting.splice(0, MAX_ROWS_WRITTEN);
      try {
        const leads = some.flatMap(({ lead }) => lead ?? []);
        const { conflicts } = await this.#send(account, {
          rows: some.map(({ row }) => row),
          ...(leads.length > 0 && { leads }),
        });
        const found = new Map(conflicts.map(({ document, standing }) => [document, standing ?? null]));
        for (const { row, settle } of some) settle(found.get(row.document));
      } catch (error) {
        for (const { fail } of some) fail(error);
      }
    }
    this.#waiting.delete(account);
  }
}
