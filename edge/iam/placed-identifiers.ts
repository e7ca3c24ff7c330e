/**
 * Where an account's table of key identifiers is (W15): in the account's own object, or with the app or the KMS, as the deployment says. An
 * account's table moves as a whole to where it belongs by now, when it is next asked.
 */

import {
  askIdentifiers,
  type Identified,
  type IdentifierAsk,
  type KeyIdentifier,
  type ListedIdentifier,
} from "../key-identifiers.ts";
import { configuredIdentifierPlace, type IdentifierPlace } from "../places.ts";
import { ok, type Result } from "../result.ts";
import type { Store } from "../store.ts";

/** A part of the migrations of an account's object. Without a row it is here. */
export const IDENTIFIERS_PLACE_TABLE = `
  CREATE TABLE key_identifiers_place (only INTEGER PRIMARY KEY CHECK (only = 1), place TEXT NOT NULL) STRICT;
`;

type Of = { tenant: string; account: string; requestId: string };

/** Who keeps it for the IAM. */
export interface IdentifierKeeping {
  keyIdentifiers(of: Of, asked: IdentifierAsk): Promise<Result<Identified>>;
}

type Configuration = { COFFER_KEY_IDENTIFIERS?: unknown };
type Places = Record<Exclude<IdentifierPlace, "iam">, IdentifierKeeping>;

export class PlacedIdentifiers {
  readonly #configuration: Configuration;
  readonly #store: Store;
  readonly #account: string;
  readonly #places: Places;
  #moving: Promise<Result<IdentifierPlace>> | undefined;

  constructor(configuration: Configuration, store: Store, account: string, places: Places) {
    this.#configuration = configuration;
    this.#store = store;
    this.#account = account;
    this.#places = places;
  }

  /** Whether it is asked of another: who asked is looked at again then. */
  get elsewhere(): boolean {
    return this.#place() !== "iam";
  }

  /** The one that is named, the current one, and when the named one ends. */
  look(
    of: { client: string; purpose: string; key?: string | undefined },
    requestId: string,
  ): Promise<Result<Identified>> {
    return this.#ask({ ask: "look", ...of }, requestId);
  }

  async list(
    of: { client: string; purpose: string },
    requestId: string,
  ): Promise<Result<ListedIdentifier[]>> {
    const asked = await this.#ask({ ask: "list", ...of }, requestId);
    return asked.ok ? ok(asked.value.listed) : asked;
  }

  /** Of an account that lives; a second time changes nothing. */
  async keep(
    of: { client: string; purpose: string; identifier: KeyIdentifier; now: number },
    requestId: string,
  ): Promise<Result<unknown>> {
    return this.#ask({ ask: "keep", ...of }, requestId);
  }

  setEnd(
    of: { client: string; key: string; ends: number | null },
    requestId: string,
  ): Promise<Result<unknown>> {
    return this.#ask({ ask: "set-end", ...of }, requestId);
  }

  forget(of: { client: string; key: string }, requestId: string): Promise<Result<unknown>> {
    return this.#ask({ ask: "forget", ...of }, requestId);
  }

  async #ask(asked: IdentifierAsk, requestId: string): Promise<Result<Identified>> {
    const place = await this.#settled(requestId);
    return place.ok ? this.#askAt(place.value, asked, requestId) : place;
  }

  async #askAt(place: IdentifierPlace, asked: IdentifierAsk, requestId: string): Promise<Result<Identified>> {
    const { sql, tenant } = this.#store;
    if (place !== "iam")
      return this.#places[place].keyIdentifiers({ tenant, account: this.#account, requestId }, asked);
    const lives = sql.exec("SELECT 1 FROM account WHERE deleted IS NULL").toArray().length === 1;
    const adds = asked.ask === "keep" || (asked.ask === "replace" && asked.rows.length > 0);
    // What was under way when the account was shredded leaves nothing behind.
    if (adds && !lives) return ok(askIdentifiers(sql, { ask: "replace", rows: [] }));
    return ok(this.#store.transaction(() => askIdentifiers(sql, asked)));
  }

  #place(): IdentifierPlace {
    const rows = this.#store.sql.exec<{ place: IdentifierPlace }>("SELECT place FROM key_identifiers_place");
    return rows.toArray()[0]?.place ?? "iam";
  }

  /** Where it is, once it is where it belongs. */
  async #settled(requestId: string): Promise<Result<IdentifierPlace>> {
    const [at, due] = [this.#place(), configuredIdentifierPlace(this.#configuration)];
    if (at === due) return ok(at);
    this.#moving ??= this.#move(at, due, requestId).finally(() => {
      this.#moving = undefined;
    });
    return this.#moving;
  }

  /** It is there as a whole before it is looked for there; what an earlier attempt left there goes. */
  async #move(
    from: IdentifierPlace,
    to: IdentifierPlace,
    requestId: string,
  ): Promise<Result<IdentifierPlace>> {
    const all = await this.#askAt(from, { ask: "all" }, requestId);
    if (!all.ok) return all;
    const put = await this.#askAt(to, { ask: "replace", rows: all.value.rows }, requestId);
    if (!put.ok) return put;
    this.#store.sql.exec("INSERT OR REPLACE INTO key_identifiers_place VALUES (1, ?)", to);
    // Left behind it is read by nobody, and replaced when the table comes back.
    await this.#askAt(from, { ask: "replace", rows: [] }, requestId);
    return ok(to);
  }
}
