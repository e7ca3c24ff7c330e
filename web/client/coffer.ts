/** What an app works with: connect, sign in, seal, open, list, remove. */

import type { signOut } from "#protocol/contract/index.ts";
import { CofferError, codeOf } from "#protocol/error.ts";
import type { AccountRole } from "#protocol/roles.ts";
import type { Accounts } from "./accounts.ts";
import type { Administration, Standing } from "./administration.ts";
import type { Custodian } from "./custodian.ts";
import type { Document, ListOptions } from "./document-list.ts";
import type {
  OpenDocument,
  OpenOptions,
  RemoveOptions,
  SealOptions,
  Source,
  Unfinished,
} from "./documents.ts";
import { asCofferError } from "./error.ts";
import type { AccountMember } from "./members.ts";
import type { MicroserviceState } from "./microservice.ts";
import type { UploadQueue } from "./queue.ts";
import type { RangedDocument } from "./ranged.ts";
import type { ReEncryptAllOptions, ReEncryptProgress } from "./re-encryption.ts";
import type { Seed, SeedOptions } from "./seed.ts";
import { CustodianSession } from "./session.ts";
import type { Sharing } from "./sharing.ts";
import type { Account, Identity } from "./sign-in.ts";
import type { SignInHost } from "./sign-in-host.ts";
import type { Versions } from "./versions.ts";

/** By type alone: a page that is not signed in carries no route but the one for tokens. */
const SIGN_OUT: (typeof signOut)["path"] = "/sign-out";

/** How to connect. */
export interface ConnectOptions {
  /** Origin of the vault, which signs in and holds the microservice. */
  vault: string;
  /** OAuth client identifier that the app is registered under. Default: its origin, as the IAM registers apps. */
  client?: string;
  /** Where the vault sends the browser back to. Default: the root of the app's origin. */
  redirectUri?: string;
  /**
   * Who keeps data keys that are made from now on: the documents, encrypted (the default), or the KMS, which then releases each to an
   * instance as long as it is neither disabled nor deleted. Documents of either kind are opened.
   */
  custody?: "kms";
}

/** Events of a `Coffer`: `state` when the microservice's state changes, `signed-out` when the sign-in has ended, `queue` (a `CustomEvent`, of the id of
 * what was sent if it was) when what waits there has changed, `waiting` (a `CustomEvent` of milliseconds) when a request waits because the server
 * asked to come later, `step` (a `CustomEvent` of a `Step`) with what is asked of vault and edge. */
export type CofferEvent = "state" | "signed-out" | "queue" | "waiting" | "step";

/** A connection of this app to its vault, its edge and its microservice. */
export class Coffer extends EventTarget {
  readonly #host: SignInHost;
  readonly #session: CustodianSession;
  readonly #custody: "kms" | undefined;
  #custodian: Custodian | undefined;
  #loading: Promise<Custodian> | undefined;
  /** Origin of the vault. */
  readonly vault: string;

  /** Use `connect`. */
  constructor(options: ConnectOptions, host: SignInHost) {
    super();
    this.vault = options.vault;
    this.#custody = options.custody;
    this.#host = host;
    this.#session = new CustodianSession({
      ...host,
      ...options,
      onWait: (wait) => this.#tell("waiting", wait),
    });
    host.onTold(() => this.#end());
  }

  /** Who is signed in; undefined when nobody is. */
  get identity(): Identity | undefined {
    return this.#session.identity;
  }

  /** Where the microservice stands. */
  get microservice(): MicroserviceState {
    return this.#custodian?.microservice.state ?? { phase: "idle" };
  }

  /** The vault's own page: which apps are signed in in this browser, and how to sign out of all of them. */
  get accountPage(): string {
    return new URL("/account", this.vault).href;
  }

  /** Takes in the answer of a sign-in, or restores an earlier one. `connect` has done this. */
  async resume(): Promise<void> {
    const answer = this.#host.takeAnswer();
    if (answer) {
      await this.#session.complete(answer).catch(async (error: unknown) => {
        await this.#session.restore();
        if (!this.identity) throw asCofferError(error);
      });
    } else {
      await this.#session.restore();
    }
    if (this.identity) this.#load().catch(() => {});
  }

  /** Leaves for the vault's sign-in; it comes back to `redirectUri`. Does not return. */
  async signIn(): Promise<never> {
    return this.#host.leave(await this.#session.authorizationUrl());
  }

  /** Ends the sign-in of this app in all tabs of this browser. The vault's session goes on for other apps: see `accountPage`. */
  async signOut(): Promise<void> {
    // First the key that the tokens are bound to: whatever hangs after this, the sign-in is over here.
    await this.#session.forget();
    this.#host.tell();
    const forgotten = this.#load().then((custodian) => custodian.forget());
    await Promise.all([this.#host.endSession(new URL(SIGN_OUT, this.vault)), forgotten.catch(() => {})]);
    this.#end();
  }

  /**
   * Lends the microservice over a port to the app's own Service Worker (M15), once it is enrolled. In a page `serveByServiceWorker` does
   * all of it.
   */
  lend(port: MessagePort): Promise<void> {
    return this.#run((custodian) => custodian.lend(port));
  }

  /** Starts and enrols the microservice ahead of its first use, and has a data key ready. */
  prepare(): Promise<void> {
    return this.#run((custodian) => custodian.prepare());
  }

  /**
   * Seals a file, Blob, byte array or stream as a new document. Name, type and time default to those of the file.
   * Errors: `signed-out`, `offline`, `too-large`, `name-too-long`, …; the signal's reason when it aborts. Then nothing is
   * left behind. The one exception is `unknown-whether-stored`: the server has not confirmed the last step, so that the
   * document is either complete and in the list, or not there.
   */
  seal(source: Source, options: SealOptions = {}): Promise<Document> {
    return this.#run((custodian) =>
      custodian.documents.seal(source, custodian.account(options.account), options),
    );
  }

  /**
   * Loads data keys that are made of a seed (a passphrase, bytes or a file), and answers their EDKs: `seal` takes one as its `key`. With
   * `document` it loads the key of that document, which then opens. The same seed gives the same key again. Errors: `seed-refused` for
   * another seed, `too-many-requests`, `offline`, …; the signal's reason when it aborts.
   *
   * @example
   * const [key] = await coffer.loadBySeed(passphrase);
   * const { id } = await coffer.seal(file, { key });
   * // Another day, in another browser:
   * await coffer.loadBySeed(passphrase, { document: id });
   * const { stream } = await coffer.open(id);
   */
  loadBySeed(seed: Seed, options: SeedOptions & { document?: string } = {}): Promise<string[]> {
    return this.#run((custodian) => custodian.loadBySeed(seed, options));
  }

  /**
   * Loads the data keys of these documents, all of one account and a hundred at the most, so that they open without the network afterwards.
   * They come by a grant, which the vault presents itself, over a channel from the key store that ends within the vault. Errors: `forbidden`,
   * `not-found`, `invalid-grant`, `back-end-refused` where the key store has no channels, …; the signal's reason when it aborts.
   */
  loadByGrant(ids: readonly string[], options: OpenOptions = {}): Promise<void> {
    return this.#run((custodian) => custodian.loadByGrant(ids, options));
  }

  /**
   * Uploads that were stopped, by a reload or a lost connection, and can be gone on with in this browser. They stay for a day after
   * something last happened to them, and end with the sign-in.
   */
  unfinishedUploads(options: Pick<ListOptions, "signal"> = {}): Promise<Unfinished[]> {
    return this.#run(({ documents, accounts }) => documents.unfinished(accounts, options));
  }

  /**
   * Goes on with an upload that was stopped: what was sent is read again and compared, and not sent again. Errors: `source-changed`
   * where the file is another one than was begun, `not-resumable`, `not-found`, and as of `seal`. `remove` ends it.
   *
   * @example
   * const [upload] = await coffer.unfinishedUploads();
   * if (upload) await coffer.resumeUpload(upload.id, file, { account: upload.account });
   */
  resumeUpload(id: string, source: Blob, options: OpenOptions = {}): Promise<Document> {
    return this.#run(({ documents }) => documents.resume(id, source, options));
  }

  /**
   * Uploads that wait for the network: `add` seals at once, and resolves when the ciphertext is kept in this browser, from where it is sent when
   * the server can be reached, after a reload too, once this is called again. `prepare` has keys loaded for it beforehand. `list`, `send`,
   * `cancel`; the event `queue` tells of changes. A sign-out deletes what waits. Errors: `queue-full`, `offline` where no key is at hand, and as of `seal`.
   *
   * @example
   * await coffer.queue((queue) => queue.prepare(account));
   * // Later, in a tunnel:
   * const { id } = await coffer.queue((queue) => queue.add(file, account));
   */
  queue<T>(work: (queue: UploadQueue) => Promise<T>): Promise<T> {
    return this.#run(({ queue }) => work(queue));
  }

  /**
   * Opens a document. `stream` gives verified frames as they come and errs rather than ends when the document is not
   * complete. Errors: `not-found`, `decrypt-failed`, `signed-out`, `offline`, …
   */
  open(id: string, options: OpenOptions = {}): Promise<OpenDocument> {
    return this.#run(({ documents }) => documents.open(id, options));
  }

  /**
   * Opens a document of which parts are wanted, as a player of videos does: each part fetches the frames alone that hold
   * it. Errors as of `open`.
   *
   * @example
   * const video = await coffer.openRanged(id);
   * const part = await video.slice(1_000_000, 1_100_000);
   */
  openRanged(id: string, options: Omit<OpenOptions, "onProgress"> = {}): Promise<RangedDocument> {
    return this.#run(({ documents }) => documents.openRanged(id, options));
  }

  /**
   * All documents, newest first, with what their sealed metadata says. Opening that takes a while when there are many, so
   * `onChange` gives the list as far as it is known, first without any metadata, then after each that was opened.
   */
  list(options: ListOptions = {}): Promise<Document[]> {
    return this.#run(({ documents, accounts }) => documents.list(accounts, options));
  }

  /**
   * Enters a document of the list whose `state` is `unfinished`: it is stored, and stands in no index. It is opened first. Errors as of `open`.
   */
  finish(id: string, options: RemoveOptions = {}): Promise<void> {
    return this.#run(({ documents }) => documents.finish(id, options));
  }

  /** Deletes a document with its earlier versions: for good, or with `days` so that `restore` brings it back until then. */
  remove(id: string, options: RemoveOptions = {}): Promise<void> {
    return this.#run(({ documents }) => documents.remove(id, options));
  }

  /**
   * Brings a document back that was deleted with `days`; `list` with `deleted` has those. Errors: `not-found` when its time has come, and as of `open`.
   *
   * @example
   * await coffer.remove(id, { days: 30 });
   * const [document] = await coffer.list({ deleted: true });
   * if (document) await coffer.restore(document.id, { account: document.account });
   */
  restore(id: string, options: Omit<RemoveOptions, "days"> = {}): Promise<void> {
    return this.#run(({ documents }) => documents.restore(id, options));
  }

  /**
   * Seals a document again under a new key; its id is another one afterwards. The old one goes when the new one is complete. Errors as of
   * `open` and `seal`.
   */
  reEncrypt(id: string, options: OpenOptions = {}): Promise<Document> {
    return this.#run(({ documents }) => documents.reEncrypt(id, options));
  }

  /**
   * Gives a document another name. What is stored under an id never changes, so it is sealed again, as by `reEncrypt`, and its id is another
   * one. Errors: `name-too-long`, and as of `open` and `seal`.
   *
   * @example
   * const { id } = await coffer.rename(document.id, "contract.pdf", { account: document.account });
   */
  rename(id: string, name: string, options: OpenOptions = {}): Promise<Document> {
    return this.#run(({ documents }) => documents.reEncrypt(id, { ...options, name }));
  }

  /**
   * All documents of an account, one after the other. It can be stopped by its signal and gone on with later, after a reload too, with
   * the `before` of the first time.
   */
  reEncryptAll(account: string, options: ReEncryptAllOptions = {}): Promise<ReEncryptProgress> {
    return this.#run(({ documents }) => documents.reEncryptAll(account, options));
  }

  /**
   * Accounts and their keys, and the user's instances.
   *
   * @example
   * const ends = await coffer.manage((life) => life.delete(account, { days: 7 }));
   */
  manage<T>(work: (life: Accounts) => Promise<T>): Promise<T> {
    return this.#run(({ life }) => work(life));
  }

  /**
   * Enrols the microservice again, with new keys; the instance that it was is revoked. `by`: with a passkey, which the vault asks the
   * person for, and which gives the instance its tier. Errors: as of `prepare`; `enrolment-refused`, `attestation-refused`.
   */
  renew(by?: "passkey"): Promise<void> {
    return this.#run((custodian) => custodian.renew(by));
  }

  /**
   * Changes over to the release that the vault has by now, if it is another one, without a reload: it enrols beside this one, what is under way
   * ends where it began, and then the instance that it was is revoked. A page does so by itself now and then. Answers whether it did. Errors: as of `prepare`.
   */
  update(): Promise<boolean> {
    return this.#run((custodian) => custodian.update());
  }

  /**
   * What an admin of the tenant does, and what the caller is to it. Errors: `forbidden` for who is no admin, and in an app other than the
   * one that ships with the deployment.
   *
   * @example
   * const { roles } = await coffer.administer((admin) => admin.standing());
   */
  administer<T>(work: (admin: Administration) => Promise<T>): Promise<T> {
    return this.#run(({ administration }) => work(administration));
  }

  /**
   * Documents that are shared between accounts of the tenant: whom the own ones are shared with, and what others have shared.
   *
   * @example
   * await coffer.sharing((sharing) => sharing.share(document.id, account, { expires }));
   * const [first] = await coffer.sharing((sharing) => sharing.received());
   */
  sharing<T>(work: (sharing: Sharing) => Promise<T>): Promise<T> {
    return this.#run(({ sharing }) => work(sharing));
  }

  /**
   * Versions of a document: `save` seals another content as the next one, `list` has all of them, `restore` makes an earlier one the newest. An
   * earlier one is opened by its id, as any document, and `remove` deletes it alone.
   *
   * @example
   * const { id } = await coffer.versions((versions) => versions.save(document.id, file));
   * const [newest, before] = await coffer.versions((versions) => versions.list(id));
   * if (before) await coffer.versions((versions) => versions.restore(before.id));
   */
  versions<T>(work: (versions: Versions) => Promise<T>): Promise<T> {
    return this.#run(({ versions }) => work(versions));
  }

  /** The user's accounts as they are now: a colleague may have shared one since this browser signed in. */
  accounts(): Promise<Account[]> {
    return this.#run((custodian) => custodian.refreshAccounts());
  }

  /** What the user is to the tenant, and the accounts with it as they are now, in one request. */
  standing(): Promise<Standing> {
    return this.#run((custodian) => custodian.refreshStanding());
  }

  /** Who may act for an account, by default the user's first. */
  members(account?: string): Promise<AccountMember[]> {
    return this.#run((custodian) => custodian.members.list(custodian.account(account)));
  }

  /**
   * Makes the user with this id a member of an account that the caller owns, or gives a member another role. Errors: `forbidden`,
   * `not-found` for who has never signed in, `conflict` for the last owner, `quota-exceeded`.
   */
  putMember(user: string, role: AccountRole, account?: string): Promise<void> {
    return this.#run((custodian) => custodian.members.put(custodian.account(account), user, role));
  }

  /** Ends a membership: by an owner, or the user's own. Nothing is given to that user from now on. Errors: `forbidden`, `conflict`. */
  removeMember(user: string, account?: string): Promise<void> {
    return this.#run((custodian) => custodian.members.remove(custodian.account(account), user));
  }

  /** Ends the user's own membership. Resolves with the accounts that are left. Errors: `no-account`, `conflict` for the last owner. */
  leave(account: string): Promise<Account[]> {
    return this.#run((custodian) => custodian.leave(account));
  }

  #tell(type: CofferEvent, detail?: unknown): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  async #run<T>(work: (custodian: Custodian) => Promise<T>): Promise<T> {
    try {
      return await work(await this.#load());
    } catch (error) {
      if (codeOf(error) === "signed-out") this.#end();
      throw asCofferError(error);
    }
  }

  /** The rest of the client, which a page that is not signed in does not need. */
  #load(): Promise<Custodian> {
    this.#loading ??= this.#host
      .custodian({ ...this.#host, session: this.#session, custody: this.#custody }, (...of) =>
        this.#tell(...of),
      )
      .then(
        (custodian) => {
          this.#custodian = custodian;
          return custodian;
        },
        (cause: unknown) => {
          this.#loading = undefined;
          throw new CofferError("offline", { cause });
        },
      );
    return this.#loading;
  }

  #end(): void {
    const microservice = this.#custodian?.microservice;
    // Ended in another tab, or at the vault: what this tab has started must not put back what is deleted there.
    if (microservice?.state.phase === "idle") microservice.stop();
    else void microservice?.forget();
    this.#session.restore().then(
      () => this.#tell("signed-out"),
      () => {},
    );
  }
}
