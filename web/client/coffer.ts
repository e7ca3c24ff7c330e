/** What an app works with: connect, sign in, seal, open, list, remove. */

import { CofferError, codeOf } from "#protocol/error.ts";
import {
  type Document,
  Documents,
  type ListOptions,
  type OpenDocument,
  type OpenOptions,
  type SealOptions,
  type Source,
} from "./documents.ts";
import { asCofferError } from "./error.ts";
import { DataKeys } from "./keys.ts";
import { Microservice, type MicroserviceState } from "./microservice.ts";
import { delay, RestClient } from "./rest.ts";
import { CustodianSession } from "./session.ts";
import { createSignInStore, type Identity } from "./store.ts";
import { openVault } from "./vault.ts";

/** How to connect. */
export interface ConnectOptions {
  /** Origin of the vault, which signs in and holds the microservice. */
  vault: string;
  /** Where the vault's hidden frame goes. Default: the document's body. */
  container?: Element;
  /** OAuth client identifier that the app is registered under. Default: its origin, as the IAM registers apps. */
  client?: string;
  /** Where the vault sends the browser back to. Default: the root of the app's origin. */
  redirectUri?: string;
}

/** Events of a `Coffer`: `state` when the microservice's state changes, `signed-out` when the sign-in has ended,
 * `waiting` (a `CustomEvent` of milliseconds) when a request waits because the server asked to come later. */
export type CofferEvent = "state" | "signed-out" | "waiting";

/**
 * Connects to a vault. Takes in the answer of a sign-in redirect if there is one in the address, and restores an
 * earlier sign-in otherwise. Errors: `sign-in-mismatch`, `sign-in-refused`, `offline`.
 *
 * @example
 * const coffer = await connect({ vault: "https://vault.example" });
 * if (!coffer.identity) await coffer.signIn();
 * const { id } = await coffer.seal(file);
 * const { name, stream } = await coffer.open(id);
 */
export async function connect(options: ConnectOptions): Promise<Coffer> {
  const coffer = new Coffer(options);
  await coffer.resume();
  return coffer;
}

/** A connection of this page to its vault, its edge and its microservice. */
export class Coffer extends EventTarget {
  readonly #session: CustodianSession;
  readonly #microservice: Microservice;
  readonly #keys: DataKeys;
  readonly #documents: Documents;
  readonly #vault: string;
  readonly #tabs: BroadcastChannel;

  /** Use `connect`. */
  constructor({ vault, container, client, redirectUri }: ConnectOptions) {
    super();
    const app = location.origin;
    const send = fetch.bind(globalThis);
    const onWait = (detail: number) => void this.dispatchEvent(new CustomEvent("waiting", { detail }));
    this.#vault = vault;
    this.#session = new CustodianSession({
      vault,
      app,
      client: client ?? app,
      redirectUri: redirectUri ?? `${app}/`,
      store: createSignInStore(),
      fetch: send,
      now: Date.now,
      locks: navigator.locks,
      onWait,
    });
    const rest = new RestClient({ origin: app, session: this.#session, fetch: send, delay, onWait });
    this.#microservice = new Microservice({
      open: (patience) => openVault(vault, container ?? document.body, patience),
      rest,
      custodian: () => this.#signedIn().custodian.dn,
      now: Date.now,
      onState: () => this.dispatchEvent(new Event("state")),
    });
    this.#keys = new DataKeys(rest, this.#microservice);
    this.#documents = new Documents({
      rest,
      microservice: this.#microservice,
      keys: this.#keys,
      tenant: () => this.#signedIn().tenant,
      accounts: () => this.#signedIn().accounts.map(({ id }) => id),
    });
    this.#tabs = new BroadcastChannel(`coffer ${vault}`);
    this.#tabs.onmessage = () => this.#end();
  }

  /** Who is signed in; undefined when nobody is. */
  get identity(): Identity | undefined {
    return this.#session.identity;
  }

  /** Where the microservice stands. */
  get microservice(): MicroserviceState {
    return this.#microservice.state;
  }

  /** Origin of the vault. */
  get vault(): string {
    return this.#vault;
  }

  /** The vault's own page: which apps are signed in in this browser, and how to sign out of all of them. */
  get accountPage(): string {
    return new URL("/account", this.#vault).href;
  }

  /** Takes in the answer of a sign-in, or restores an earlier one. `connect` has done this. */
  async resume(): Promise<void> {
    const here = new URL(location.href);
    const answered =
      here.searchParams.has("state") && (here.searchParams.has("code") || here.searchParams.has("error"));
    if (!answered) {
      await this.#session.restore();
      return;
    }
    const query = new URLSearchParams(here.search);
    // Out of the address first: a reload must not present a code again that works once.
    for (const name of ["code", "state", "iss", "error", "error_description"]) here.searchParams.delete(name);
    history.replaceState(history.state, "", here);
    try {
      await this.#session.complete(query);
    } catch (error) {
      await this.#session.restore();
      if (!this.identity) throw asCofferError(error);
    }
  }

  /** Leaves the page for the vault's sign-in; it comes back to `redirectUri`. Does not return. */
  async signIn(): Promise<never> {
    location.assign(await this.#session.authorizationUrl());
    return new Promise(() => {});
  }

  /** Ends the sign-in of this app in all tabs of this browser. The vault's session goes on for other apps: see `accountPage`. */
  async signOut(): Promise<void> {
    // First the key that the tokens are bound to: whatever hangs after this, the sign-in is over here.
    await this.#session.forget();
    this.#tabs.postMessage("signed-out");
    // The vault knows by its cookie which sign-ins of this app end; it answers no one but itself, so nothing is read here.
    const ended = fetch(new URL("/sign-out", this.#vault), {
      method: "POST",
      mode: "no-cors",
      credentials: "include",
      // Without it a page of policy `same-origin` sends the Origin `null` (Fetch, "append a request Origin header").
      referrerPolicy: "origin",
    }).catch(() => {});
    await Promise.all([ended, this.#microservice.forget()]);
    this.#end();
  }

  /** Starts and enrols the microservice ahead of its first use, and has a data key ready. */
  async prepare(): Promise<void> {
    await this.#run(async () => {
      await this.#microservice.use();
      const account = this.#signedIn().accounts[0];
      if (account) this.#keys.ahead(account.id);
    });
  }

  /**
   * Seals a file, Blob, byte array or stream as a new document. Name, type and time default to those of the file.
   * Errors: `signed-out`, `offline`, `too-large`, `name-too-long`, …; the signal's reason when it aborts. Then nothing is
   * left behind. The one exception is `unknown-whether-stored`: the server has not confirmed the last step, so that the
   * document is either complete and in the list, or not there.
   */
  async seal(source: Source, options: SealOptions = {}): Promise<Document> {
    return this.#run(() => this.#documents.seal(source, this.#account(options.account), options));
  }

  /**
   * Opens a document. `stream` gives verified frames as they come and errs rather than ends when the document is not
   * complete. Errors: `not-found`, `decrypt-failed`, `signed-out`, `offline`, …
   */
  async open(id: string, options: OpenOptions = {}): Promise<OpenDocument> {
    return this.#run(() => this.#documents.open(id, options));
  }

  /**
   * All documents, newest first, with what their sealed metadata says. Opening that takes a while when there are many, so
   * `onChange` gives the list as far as it is known, first without any metadata, then after each that was opened.
   */
  async list(options: ListOptions = {}): Promise<Document[]> {
    return this.#run(() => {
      const accounts = this.#signedIn().accounts.map(({ id }) => id);
      return this.#documents.list(accounts, options);
    });
  }

  /** Deletes a document for good. */
  async remove(id: string, signal?: AbortSignal): Promise<void> {
    return this.#run(() => this.#documents.remove(id, signal));
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (codeOf(error) === "signed-out") this.#end();
      throw asCofferError(error);
    }
  }

  #signedIn(): Identity {
    const identity = this.#session.identity;
    if (!identity) throw new CofferError("signed-out");
    return identity;
  }

  #account(wanted: string | undefined): string {
    const { accounts } = this.#signedIn();
    const account = wanted === undefined ? accounts[0] : accounts.find(({ id }) => id === wanted);
    if (!account) throw new CofferError("no-account");
    return account.id;
  }

  #end(): void {
    // Ended in another tab, or at the vault: what this tab has started must not put back what is deleted there.
    if (this.#microservice.state.phase === "idle") this.#microservice.stop();
    else void this.#microservice.forget();
    this.#session.restore().then(
      () => this.dispatchEvent(new Event("signed-out")),
      () => {},
    );
  }
}
