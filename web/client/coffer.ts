/** What an app works with: connect, sign in, seal, open, list, remove. */

import { codeOf } from "#protocol/error.ts";
import { Custodian, type CustodianOptions } from "./custodian.ts";
import type {
  Document,
  Documents,
  ListOptions,
  OpenDocument,
  OpenOptions,
  SealOptions,
  Source,
} from "./documents.ts";
import { asCofferError } from "./error.ts";
import type { SignInHost } from "./host.ts";
import type { MicroserviceState } from "./microservice.ts";
import type { Identity } from "./sign-in.ts";

/** How to connect. */
export type ConnectOptions = Pick<CustodianOptions, "vault" | "client" | "redirectUri">;

/** Events of a `Coffer`: `state` when the microservice's state changes, `signed-out` when the sign-in has ended,
 * `waiting` (a `CustomEvent` of milliseconds) when a request waits because the server asked to come later. */
export type CofferEvent = "state" | "signed-out" | "waiting";

/** A connection of this app to its vault, its edge and its microservice. */
export class Coffer extends EventTarget {
  readonly #host: SignInHost;
  readonly #custodian: Custodian;
  /** Origin of the vault. */
  readonly vault: string;

  /** Use `connect`. */
  constructor(options: ConnectOptions, host: SignInHost) {
    super();
    this.vault = options.vault;
    this.#host = host;
    this.#custodian = new Custodian(
      {
        ...options,
        onWait: (detail) => void this.dispatchEvent(new CustomEvent("waiting", { detail })),
        onState: () => void this.dispatchEvent(new Event("state")),
      },
      host,
    );
    host.onTold(() => this.#end());
  }

  /** Who is signed in; undefined when nobody is. */
  get identity(): Identity | undefined {
    return this.#custodian.session.identity;
  }

  /** Where the microservice stands. */
  get microservice(): MicroserviceState {
    return this.#custodian.microservice.state;
  }

  /** The vault's own page: which apps are signed in in this browser, and how to sign out of all of them. */
  get accountPage(): string {
    return new URL("/account", this.vault).href;
  }

  /** Takes in the answer of a sign-in, or restores an earlier one. `connect` has done this. */
  async resume(): Promise<void> {
    const { session } = this.#custodian;
    const answer = this.#host.takeAnswer();
    if (!answer) {
      await session.restore();
      return;
    }
    try {
      await session.complete(answer);
    } catch (error) {
      await session.restore();
      if (!this.identity) throw asCofferError(error);
    }
  }

  /** Leaves for the vault's sign-in; it comes back to `redirectUri`. Does not return. */
  async signIn(): Promise<never> {
    return this.#host.leave(await this.#custodian.session.authorizationUrl());
  }

  /** Ends the sign-in of this app in all tabs of this browser. The vault's session goes on for other apps: see `accountPage`. */
  async signOut(): Promise<void> {
    const { session, microservice } = this.#custodian;
    // First the key that the tokens are bound to: whatever hangs after this, the sign-in is over here.
    await session.forget();
    this.#host.tell();
    await Promise.all([this.#host.endSession(new URL("/sign-out", this.vault)), microservice.forget()]);
    this.#end();
  }

  /** Starts and enrols the microservice ahead of its first use, and has a data key ready. */
  async prepare(): Promise<void> {
    await this.#run(async () => {
      await this.#custodian.microservice.use();
      const [account] = this.#custodian.accounts;
      if (account !== undefined) this.#custodian.keys.ahead(account);
    });
  }

  /**
   * Seals a file, Blob, byte array or stream as a new document. Name, type and time default to those of the file.
   * Errors: `signed-out`, `offline`, `too-large`, `name-too-long`, …; the signal's reason when it aborts. Then nothing is
   * left behind. The one exception is `unknown-whether-stored`: the server has not confirmed the last step, so that the
   * document is either complete and in the list, or not there.
   */
  async seal(source: Source, options: SealOptions = {}): Promise<Document> {
    return this.#run((documents) =>
      documents.seal(source, this.#custodian.account(options.account), options),
    );
  }

  /**
   * Opens a document. `stream` gives verified frames as they come and errs rather than ends when the document is not
   * complete. Errors: `not-found`, `decrypt-failed`, `signed-out`, `offline`, …
   */
  async open(id: string, options: OpenOptions = {}): Promise<OpenDocument> {
    return this.#run((documents) => documents.open(id, options));
  }

  /**
   * All documents, newest first, with what their sealed metadata says. Opening that takes a while when there are many, so
   * `onChange` gives the list as far as it is known, first without any metadata, then after each that was opened.
   */
  async list(options: ListOptions = {}): Promise<Document[]> {
    return this.#run((documents) => documents.list(this.#custodian.accounts, options));
  }

  /** Deletes a document for good. */
  async remove(id: string, signal?: AbortSignal): Promise<void> {
    return this.#run((documents) => documents.remove(id, signal));
  }

  async #run<T>(work: (documents: Documents) => Promise<T>): Promise<T> {
    try {
      return await work(this.#custodian.documents);
    } catch (error) {
      if (codeOf(error) === "signed-out") this.#end();
      throw asCofferError(error);
    }
  }

  #end(): void {
    const { microservice, session } = this.#custodian;
    // Ended in another tab, or at the vault: what this tab has started must not put back what is deleted there.
    if (microservice.state.phase === "idle") microservice.stop();
    else void microservice.forget();
    session.restore().then(
      () => this.dispatchEvent(new Event("signed-out")),
      () => {},
    );
  }
}
