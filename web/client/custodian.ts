/** The parts of a custodian that is signed in, put together for one host: REST, the microservice, data keys and documents. */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import type { Enrol } from "#protocol/enrolment.ts";
import { CofferError, codeOf } from "#protocol/error.ts";
import { delay, type WaitListener } from "#protocol/patience.ts";
import { parseCertificate } from "#protocol/pki/index.ts";
import { Accounts } from "./accounts.ts";
import { Administration, type Standing } from "./administration.ts";
import { Documents } from "./documents.ts";
import { loadByGrant } from "./granted.ts";
import type { Host } from "./host.ts";
import { ASKED_AT_ONCE, inTurns } from "./in-turns.ts";
import type { ListStore } from "./kept-list.ts";
import { DataKeys } from "./keys.ts";
import { lend } from "./lend.ts";
import { Members } from "./members.ts";
import { type EnrolledMicroservice, Microservice, type MicroserviceState } from "./microservice.ts";
import { UploadQueue } from "./queue.ts";
import { RestClient } from "./rest.ts";
import { loadBySeed, type Seed, type SeedOptions } from "./seed.ts";
import type { Session } from "./session.ts";
import { Sharing } from "./sharing.ts";
import type { Account, Identity } from "./sign-in.ts";
import { type Held, type StepListener, type Telling, telling } from "./steps.ts";
import type { UploadStore } from "./upload-store.ts";
import { Versions } from "./versions.ts";

export interface CustodianOptions extends Pick<Host, "app" | "fetch" | "now" | "openVault"> {
  /** Where uploads wait for the network; none can where it is left out. */
  uploads?: (() => UploadStore) | undefined;
  /** Where lists are kept, sealed, over a reload; they are read anew where it is left out. */
  lists?: (() => Promise<ListStore>) | undefined;
  /** How often to look, while it is used, whether the vault has another release by now, milliseconds. Default: a quarter of an hour. */
  releases?: number;
  session: Session;
  /** Who keeps data keys that are made. */
  custody?: "kms" | undefined;
  /** What its microservice enrols by. Default: a grant (M3), which a browser's takes with the vault's cookie. */
  enrolment?: (() => Promise<Enrol>) | undefined;
  /** Called with how long a request waits because the server asked to come later, milliseconds. */
  onWait?: WaitListener | undefined;
  onState?: ((state: MicroserviceState) => void) | undefined;
  /** Told when what waits in the queue has changed. */
  onQueue?: ((sent?: string) => void) | undefined;
  /** Told of what is asked of the microservice and the edge, step by step. */
  onStep?: StepListener | undefined;
  /** Where the host keeps the app-specific key: what starts a microservice with the next one, and what makes that the host's key. */
  nextAppKey?: { openVault: Host["openVault"]; take(): Promise<void> } | undefined;
}

export class Custodian {
  readonly #session: Session;
  readonly #nextAppKey: CustodianOptions["nextAppKey"];
  readonly #options: CustodianOptions;
  #queue: UploadQueue | undefined;
  /** Whose uploads wait. */
  #owner: string | undefined;
  readonly rest: RestClient;
  readonly microservice: Microservice;
  readonly keys: DataKeys;
  readonly documents: Documents;
  readonly #telling: Telling | undefined;
  /** Accounts, their keys, and the user's instances. */
  readonly life: Accounts;
  readonly members: Members;

  constructor(options: CustodianOptions) {
    const {
      session,
      app,
      fetch,
      now,
      openVault: open,
      enrolment,
      custody,
      onWait,
      onState,
      onStep,
      lists,
    } = options;
    const { releases = 15 * 60 * 1000 } = options;
    this.#session = session;
    this.#options = options;
    if (session.identity) this.#owner = ownerOf(session.identity);
    this.#nextAppKey = options.nextAppKey;
    const rest = new RestClient({ origin: app, session, fetch, delay, onWait, onStep });
    const custodian = () => this.signedIn.custodian.dn;
    const microservice = new Microservice({
      ...{ open, rest, custodian, enrolment, app, now, onState, onStep, releases },
      certifiedKey: () => session.certifiedKey(),
      replaced: (id) => this.life.revokeInstance(id),
    });
    const keys = new DataKeys(rest, microservice, custody);
    const [tenant, accounts] = [() => this.signedIn.tenant, () => this.accounts];
    const documents = new Documents({ rest, microservice, keys, tenant, accounts, lists });
    if (onStep) this.#telling = telling(onStep);
    this.documents = this.#telling?.(documents) ?? documents;
    this.life = new Accounts(
      rest,
      () => session.authorize("GET", app, true),
      (account) => keys.discard(account),
      async (...of) => (await microservice.use()).port.renew(...of),
      () => this.#rotateAppKey(),
      () => this.#held(),
    );
    this.members = new Members(rest);
    this.rest = rest;
    this.microservice = microservice;
    this.keys = keys;
  }

  /** Data keys of a seed, loaded (M9); `document`: that of a document, by its id. */
  async loadBySeed(seed: Seed, options: SeedOptions & { document?: string } = {}): Promise<string[]> {
    const { document: id, account, signal } = options;
    const of = { ...(account !== undefined && { account }), ...(signal && { signal }) };
    const found = id === undefined ? {} : { edks: [await this.documents.keyOf(id, of)] };
    return loadBySeed(this, seed, this.account(account), { ...options, ...found });
  }

  /** The data keys of these documents, all of one account, loaded by a grant, over a channel from the HSM (M7). */
  async loadByGrant(ids: readonly string[], options: { account?: string; signal?: AbortSignal } = {}) {
    const edks = await Promise.all(inTurns(ids, ASKED_AT_ONCE, (id) => this.documents.keyOf(id, options)));
    await loadByGrant(this, [...new Set(edks)], options.signal);
  }

  /** Who is signed in. Error: `signed-out`. */
  get signedIn(): Identity {
    const { identity } = this.#session;
    if (!identity) throw new CofferError("signed-out");
    return identity;
  }

  /** Uploads that wait for the network. What an earlier process or page has left is sent from the first call on. Error: `internal` on a host that keeps none. */
  get queue(): UploadQueue {
    const { uploads, now, onQueue: onChange } = this.#options;
    if (!uploads) throw new CofferError("internal");
    this.#queue ??= new UploadQueue({
      ...{ rest: this.rest, microservice: this.microservice, keys: this.keys, documents: this.documents },
      store: uploads(),
      owner: () => {
        this.#owner = ownerOf(this.signedIn);
        return this.#owner;
      },
      ...{ now, onChange },
    });
    return this.#queue;
  }

  /** Signed out: keys go, and what waits. */
  async forget(): Promise<void> {
    const cleared = this.#options.uploads && this.queue.clear(this.#owner);
    await Promise.all([this.microservice.forget(), cleared]);
  }

  /** Has this microservice, enrolled, answer calls that come over the port (M15). */
  async lend(port: MessagePort): Promise<void> {
    await this.microservice.use();
    lend(port, this.microservice);
  }

  /** Ids of the accounts that the user may act for. */
  get accounts(): string[] {
    return this.signedIn.accounts.map(({ id }) => id);
  }

  /** The user's accounts as they are now: a colleague may have shared one since the last token. */
  async refreshAccounts(): Promise<Account[]> {
    const accounts = await this.members.accounts();
    await this.#session.learnAccounts(accounts);
    return accounts;
  }

  /** What the user is to the tenant, and the accounts with it. */
  async refreshStanding(): Promise<Standing> {
    const standing = await this.administration.standing();
    if (standing.accounts) await this.#session.learnAccounts(standing.accounts);
    return standing;
  }

  /** What an admin of the tenant does. */
  get administration(): Administration {
    return new Administration(this.rest);
  }

  /** Documents that are shared between accounts. */
  get sharing(): Sharing {
    const { rest, microservice, keys, documents } = this;
    const sharing = new Sharing({
      ...{ rest, microservice, keys, documents },
      tenant: () => this.signedIn.tenant,
      account: (wanted) => this.account(wanted),
      accounts: () => this.accounts,
    });
    return this.#telling?.(sharing, { open: "openReceived" }) ?? sharing;
  }

  /** Versions of documents. */
  get versions(): Versions {
    const { documents, sharing } = this;
    return new Versions({ documents, sharing, accounts: () => this.accounts });
  }

  /** Starts and enrols the microservice ahead of its first use, and has a data key ready. */
  async prepare(): Promise<void> {
    await this.microservice.use();
    const [account] = this.accounts;
    if (account !== undefined) void this.keys.prepare(account);
  }

  /** M21: changes over to the release that the vault has now, if it is another one. Answers whether it did. */
  async update(): Promise<boolean> {
    await this.microservice.use();
    return this.microservice.update();
  }

  /** Enrols again with new keys, and revokes the instance before. `by`: a passkey. */
  async renew(by?: "passkey"): Promise<void> {
    const { id } = (await this.microservice.use()).instance;
    await this.microservice.renew(id, by);
    await this.life.revokeInstance(id);
  }

  /** What the vault says of what it holds and has asked. */
  async #held(): Promise<Held> {
    const { port } = await this.microservice.use();
    return { ...(await port.standing()), drop: () => port.lock() };
  }

  /** Another app-specific key, as `Accounts.rotateAppKey` has it. */
  async #rotateAppKey(): Promise<void> {
    const next = this.#nextAppKey;
    if (!next) {
      const before = await this.microservice.use();
      if (await replaceSymmetricKey(before)) return;
      await this.renew();
      return requireOther(await this.microservice.use(), before);
    }
    await this.microservice.replaceKeys({
      open: next.openVault,
      accept: async (enrolled, before, check) => {
        requireOther(enrolled, before);
        // It asks for Enc(master): who is not given it must not give up the key of now.
        await replaceSymmetricKey(enrolled);
        check();
        await next.take();
      },
    });
  }

  /** Ends the user's own membership, and answers the accounts that are left. */
  async leave(account: string): Promise<Account[]> {
    await this.members.remove(this.account(account), this.signedIn.user.id);
    return this.refreshAccounts();
  }

  /** The account of this id, or the first. Error: `no-account`. */
  account(wanted?: string): string {
    const account = wanted === undefined ? this.accounts[0] : this.accounts.find((id) => id === wanted);
    if (account === undefined) throw new CofferError("no-account");
    return account;
  }
}

function ownerOf({ tenant, user }: Identity): string {
  return `${tenant}/${user.id}`;
}

/** Another symmetric app-specific key; whether the instance has one. */
async function replaceSymmetricKey({ port }: EnrolledMicroservice): Promise<boolean> {
  try {
    await port.replaceAppKey();
    return true;
  } catch (error) {
    if (codeOf(error) !== "key-missing") throw error;
    return false;
  }
}

function requireOther(after: EnrolledMicroservice, before: EnrolledMicroservice): void {
  const [one, other] = [after, before].map(({ instance: { wrappingCertificate } }) =>
    encodeBase64url(parseCertificate(decodeBase64url(wrappingCertificate)).spki),
  );
  if (one === other) throw new CofferError("conflict");
}
