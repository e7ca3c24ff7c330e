/** `<coffer-app>`: the page as a whole. Knows the custodian's API and nothing below it. */

import {
  type Coffer,
  CofferError,
  type Document,
  type ErrorCode,
  isAbort,
  type ListOptions,
  type OpenOptions,
  SHORT_BYTES,
  type Versions,
} from "#web/browser/index.ts";
import { offerAccounts } from "./account-choice.ts";
import type { CofferChain, Link } from "./chain.ts";
import type { CofferConfirm, Question } from "./confirm.ts";
import { Desk, nameOf } from "./desk.ts";
import { chosenFiles, dropTarget, type Incoming } from "./drop.ts";
import { formatNumber } from "./format.ts";
import { PAUSABLE } from "./handles.ts";
import { type CofferHelp, singleKeyShortcuts } from "./help.ts";
import { Lock } from "./lock.ts";
import { isPlaying, LOCK_UNDER_WAY, SIGN_OUT_LOCKED } from "./lock-questions.ts";
import { Lots } from "./lots.ts";
import { nameInWords, shownName } from "./names.ts";
import { News } from "./news.ts";
import type { CofferNotice } from "./notice.ts";
import { Panels } from "./panels.ts";
import { element, onPress, part } from "./part.ts";
import { QueuedUploads, whyNotKept } from "./queued.ts";
import type { CofferRename } from "./rename.ts";
import { chooseTarget, chooseTargets, type Target } from "./save.ts";
import { numberOf } from "./series.ts";
import { SharedWith } from "./shared-with.ts";
import type { CofferSharing, SeveralShared, SharesRead } from "./sharing.ts";
import { type Begun, StoppedUploads, whyStopped } from "./stopped.ts";
import { type Came, wordsOf } from "./tally.ts";
import { Transfers } from "./transfers.ts";
import { Undo } from "./undo.ts";
import type { CofferVaults } from "./vaults.ts";
import type { CofferVersions } from "./versions.ts";
import type { CofferViewer } from "./viewer.ts";
import { choose, type Language, languageOfPage, t } from "./words.ts";
import { isNamed, zipName, zipOf } from "./zip.ts";

/** How long what was deleted can be brought back. */
const DAYS = 30;

/** What a new sign-in mends. */
const SIGN_IN: ReadonlySet<ErrorCode> = new Set([
  ...(["signed-out", "no-session", "invalid-token"] as const),
  ...(["sign-in-mismatch", "sign-in-refused", "foreign-custodian"] as const),
]);

export class CofferApp extends HTMLElement {
  #coffer: Coffer | undefined;
  #documents: Document[] = [];
  #transfers!: Transfers;
  #panels!: Panels;
  #listing: AbortController | undefined;
  /** Documents sealed and deleted while a list was on its way. */
  readonly #sealed = new Map<string, Document>();
  readonly #removed = new Set<string>();
  #stopped!: StoppedUploads;
  #desk!: Desk;
  #undo!: Undo;
  #lots!: Lots;
  #leaving: number | undefined;
  #lock!: Lock;
  #locking = false;
  #queued!: QueuedUploads;
  readonly #sharedWith = new SharedWith();
  readonly #news = new News(() => {
    if (this.#usable) void this.#reload();
  });

  connectedCallback(): void {
    this.#transfers = new Transfers(part(this, "transfers"), {
      changed: (working) => this.#mark(working),
      counted: (tally) => {
        const words = wordsOf(tally);
        if (words !== "") this.#say(words);
        if (tally.unfinished > 0) this.#undo.offer(words);
      },
      unfocused: () => part(this, "heading").focus(),
    });
    onPress(this, "sign-in", () => this.#attempt(() => this.#connected.signIn()));
    onPress(this, "sign-out", () => this.#attempt(() => this.#signOut()));
    onPress(this, "lock-page", () => void this.#askToLock());
    onPress(this, "unlock", () => this.#lock.unlock());
    this.#lock = new Lock({
      open: () => this.#usable,
      busy: () => this.#transfers.active > 0 || isPlaying(),
      leave: () => this.#leave(),
      unlock: () => {
        // One that has not come so far begins by itself.
        if (!this.#coffer) return;
        this.#begin();
        part(this, "heading").focus();
      },
    });
    element<CofferVaults>(this, "coffer-vaults").lockAfter = () => this.#lock.after;
    this.addEventListener("coffer-lock-after", (event) => {
      this.#lock.after = (event as CustomEvent<number>).detail;
    });
    this.#desk = new Desk(this, {
      open: (document) => this.#open(document),
      rename: (document) => void this.#rename(document),
      versions: (document) => document.metadata && void this.#versions.showFor(document),
      share: (documents) => void this.#sharing.showFor(documents),
      sharedWith: (document) => this.#sharedWith.of(document),
      sharesUnknown: () => this.#sharedWith.unknown,
      save: (documents) => this.#saveAll(documents),
      saveZip: (documents) => this.#saveZip(documents),
      delete: (documents) => void this.#delete(documents),
    });
    this.#undo = new Undo(this);
    this.#lots = new Lots({
      coffer: () => this.#connected,
      transfers: this.#transfers,
      takeOut: (document) => this.#takeOut(document),
      changed: () => this.#changed(),
      shared: () => void this.#readShares(),
      outcome: (...of) => this.#outcome(...of),
    });
    this.#queued = new QueuedUploads(this, {
      open: (document) => this.#open(document),
      save: (document) => this.#save(document),
      sent: (name) => this.#sent(name),
      ask: (question) => this.#confirm(question),
      attempt: (work) => this.#attempt(work),
    });
    this.#stopped = new StoppedUploads({
      coffer: () => this.#connected,
      transfers: this.#transfers,
      stored: (document) => this.#show(document),
      attempt: (work) => this.#attempt(work),
    });
    addEventListener("online", () => {
      this.#transfers.goOn();
      // Keys that are at hand when the network goes.
      this.#prepareQueue();
    });
    part(this, "into").addEventListener("change", () => this.#prepareQueue());
    for (const name of ["files", "folders"]) {
      const input = part<HTMLInputElement>(this, name);
      onPress(this, name === "files" ? "choose" : "choose-folder", () => input.click());
      input.addEventListener("change", () => {
        this.#seal(chosenFiles(input));
        // Choosing the same file again must count as a change.
        input.value = "";
      });
    }
    dropTarget(part(this, "drop"), {
      accepts: () => this.#usable,
      onFiles: (dropped) => this.#seal(dropped),
      onFailure: (error) => this.notify(error),
    });
    const help = () => element<CofferHelp>(this, "coffer-help").show();
    onPress(this, "help", help);
    singleKeyShortcuts({ "?": help, "/": () => this.#usable && this.#desk.find() });
    const language = part<HTMLSelectElement>(this, "language");
    language.value = languageOfPage();
    language.addEventListener("change", () => {
      choose(language.value as Language);
      location.reload();
    });
    this.addEventListener("coffer-open", (event) => this.#open((event as CustomEvent<Document>).detail));
    this.addEventListener("coffer-save", (event) => this.#save((event as CustomEvent<Document>).detail));
    this.addEventListener("coffer-delete", (event) =>
      this.#delete([(event as CustomEvent<Document>).detail]),
    );
    this.addEventListener("coffer-re-encrypt", (event) =>
      this.#reEncrypt((event as CustomEvent<Document>).detail),
    );
    this.addEventListener("coffer-finish", (event) => this.#finish((event as CustomEvent<Document>).detail));
    this.addEventListener("coffer-replace", (event) => {
      const { document, file } = (event as CustomEvent<{ document: Document; file: File }>).detail;
      this.#replace(document, file);
    });
    this.addEventListener("coffer-revert", (event) => {
      const { document, version } = (event as CustomEvent<{ document: Document; version: Document }>).detail;
      this.#revert(document, version);
    });
    this.addEventListener("coffer-changed", () => this.#changed());
    this.addEventListener("coffer-shared", (event) =>
      this.#sharing.showFor([(event as CustomEvent<Document>).detail]),
    );
    this.addEventListener("coffer-share", (event) => {
      const { documents, to, expires } = (event as CustomEvent<SeveralShared>).detail;
      this.#desk.selectNone();
      part(this, "heading").focus();
      this.#lots.share(documents, to, expires);
    });
    this.addEventListener("coffer-shares", (event) => {
      const { account, given, asked } = (event as CustomEvent<SharesRead>).detail;
      this.#sharedWith.take(account, given, asked);
      this.#showDocuments();
    });
    this.#sharing.names = () => new Map(this.#documents.map((each) => [nameOf(each), each.metadata?.name]));
    this.#sharing.ask = () => this.#sharedWith.ask();
    this.#panels = new Panels(this);
    addEventListener("beforeunload", (event) => {
      if (this.#transfers.active > 0 && !this.#locking) event.preventDefault();
    });
  }

  /** Somebody is signed in, and it is not locked. */
  get #usable(): boolean {
    return this.#coffer?.identity !== undefined && !this.#lock.locked;
  }

  get #sharing(): CofferSharing {
    return element<CofferSharing>(this, "coffer-sharing");
  }

  get #versions(): CofferVersions {
    return element<CofferVersions>(this, "coffer-versions");
  }

  get #connected(): Coffer {
    if (!this.#coffer) throw new Error("not started");
    return this.#coffer;
  }

  /** Where the vault's hidden frame goes. */
  get vaultContainer(): HTMLElement {
    return part(this, "vault");
  }

  /** Begins to work with a connection. */
  start(coffer: Coffer): void {
    this.#coffer = coffer;
    for (const link of this.querySelectorAll<HTMLAnchorElement>("[data-account]"))
      link.href = coffer.accountPage;
    coffer.addEventListener("state", () => this.#showState());
    coffer.addEventListener("waiting", (event) => {
      const { detail } = event as CustomEvent<number>;
      this.#transfers.wait(detail);
      element<CofferViewer>(this, "coffer-viewer").wait(detail);
    });
    coffer.addEventListener("signed-out", () => this.#showSignIn());
    if (coffer.identity && this.#lock.locked) {
      this.#showSignIn();
      part(this, "unlock").focus();
    } else this.#begin();
  }

  /** Shows what there is to see, to one who is signed in and has not locked it. */
  #begin(): void {
    const coffer = this.#connected;
    this.#showSignIn();
    if (!this.#usable) return;
    this.#panels.start(coffer, (error) => this.notify(error));
    void this.#attempt(() => coffer.prepare());
    void this.#reload().then(() => this.#prepareQueue());
    void this.#quietly(() => this.#queued.start(coffer));
    void this.#quietly(() => this.#stopped.start());
    // A colleague may have shared an account since this browser signed in, and an admin have given a role.
    const before = accountsOf(coffer);
    void this.#quietly(async () => {
      this.#panels.offer(await coffer.standing());
      if (accountsOf(coffer) !== before) void this.#reload();
    });
  }

  /** Shows a failure with the way out of it. */
  notify(error: unknown, again?: () => void): void {
    if (isAbort(error)) return;
    const code = error instanceof CofferError ? error.code : undefined;
    const notices = part(this, "notices");
    // One notice a code: several parts of the page meet the same failure at once.
    if (code) notices.querySelector(`[data-code="${CSS.escape(code)}"]`)?.remove();
    const notice = document.createElement("coffer-notice") as CofferNotice;
    notices.append(notice);
    if (code !== undefined && SIGN_IN.has(code) && this.#coffer) {
      notice.show(error, {
        label: t("Sign in"),
        run: () => void this.#attempt(() => this.#connected.signIn()),
      });
    } else notice.show(error, again && { label: t("Try again"), run: again });
  }

  #view(name: "loading" | "signed-out" | "signed-in" | "locked"): void {
    for (const view of this.querySelectorAll<HTMLElement>("[data-view]"))
      view.hidden = view.dataset.view !== name;
  }

  #showSignIn(): void {
    const identity = this.#coffer?.identity;
    if (!identity) this.#lock.forget();
    const usable = this.#usable;
    this.#view(usable ? "signed-in" : identity ? "locked" : "signed-out");
    part(this, "who").hidden = !identity;
    part(this, "lock-page").hidden = !usable;
    part(this, "panels").hidden = !usable;
    for (const name of ["files", "folders"]) part<HTMLInputElement>(this, name).disabled = !usable;
    part(this, "user").textContent = shownName(identity?.user.name ?? "");
    this.#offerAccounts();
    if (!identity) {
      this.#listing?.abort();
      this.#transfers.cancel();
      element<CofferViewer>(this, "coffer-viewer").close();
      this.#panels.close();
      // Nothing that was opened stays in the page.
      this.#documents = [];
      this.#sealed.clear();
      this.#stopped.clear();
      this.#undo.clear();
      this.#queued.clear();
      this.#sharedWith.clear();
      this.#desk.clear();
    }
    this.#showState();
  }

  #showState(): void {
    const state = this.#connected.microservice;
    for (const chain of this.#chains()) chain.show(state);
    if (state.phase === "enrolling") this.#say(t("Making keys and enrolling the vault…"));
    if (state.phase === "locked") this.#say(t("Locked by your passkey: unlock it in the bar below."));
    if (state.phase === "ready") this.#say(t("The vault is ready."));
    this.#mark(
      new Set(
        state.phase === "enrolling" ? ["vault", "edge", "hsm"] : state.phase === "starting" ? ["vault"] : [],
      ),
    );
  }

  #mark(working: Set<Link>): void {
    for (const chain of this.#chains()) chain.mark(working);
  }

  #chains(): CofferChain[] {
    return [...this.querySelectorAll<CofferChain>("coffer-chain:not([plain])")];
  }

  async #reload(): Promise<void> {
    this.#listing?.abort();
    this.#listing = new AbortController();
    const { signal } = this.#listing;
    this.#offerAccounts();
    part(this, "reading").hidden = this.#documents.length > 0;
    try {
      this.#sealed.clear();
      // What was brought back meanwhile, here or in another tab, is to be seen again.
      this.#removed.clear();
      const take = (documents: Document[]) => !signal.aborted && this.#take(documents);
      take(await this.#list({ signal, onChange: take }));
      // After the names: nobody waits for it.
      void this.#readShares();
    } catch (error) {
      if (!signal.aborted) this.notify(error, () => void this.#reload());
    } finally {
      part(this, "reading").hidden = true;
    }
  }

  /** What fails here the list says in its count; a sign-out meanwhile is no failure. */
  async #readShares(): Promise<void> {
    const coffer = this.#connected;
    const accounts = (coffer.identity?.accounts ?? []).map(({ id }) => id);
    await this.#sharedWith.read(coffer, accounts);
    if (coffer.identity) this.#showDocuments();
    else this.#sharedWith.clear();
  }

  /** Who was removed from an account meanwhile has the others listed. */
  async #list(options: ListOptions): Promise<Document[]> {
    const coffer = this.#connected;
    try {
      return await coffer.list(options);
    } catch (error) {
      const before = accountsOf(coffer);
      if (!(error instanceof CofferError && error.code === "forbidden")) throw error;
      await coffer.accounts();
      if (accountsOf(coffer) === before) throw error;
      return coffer.list(options);
    }
  }

  /** Shows a list as far as it is known, with what was sealed since it was asked for; drawn once a frame. */
  #take(listed: Document[]): void {
    const known = new Set(listed.map(nameOf));
    const sealed = [...this.#sealed].filter(([name]) => !known.has(name)).map(([, document]) => document);
    this.#documents = [...sealed.reverse(), ...listed].filter((each) => !this.#removed.has(nameOf(each)));
    part(this, "reading").hidden = true;
    part(this, "empty").hidden = this.#documents.length > 0;
    this.#showDocuments();
  }

  #showDocuments(): void {
    this.#desk.show(this.#documents, this.#coffer?.identity?.accounts ?? []);
  }

  #offerAccounts(): void {
    const label = part(this, "into-label");
    offerAccounts(label, part<HTMLSelectElement>(this, "into"), this.#coffer?.identity?.accounts ?? []);
  }

  /** The account that is sealed into. */
  get #into(): string | undefined {
    const chosen = part<HTMLSelectElement>(this, "into").value;
    return chosen || this.#coffer?.identity?.accounts[0]?.id;
  }

  /** Asks again: a file may be given before the page has heard of an account that was made a moment ago. Of several the person is to choose. */
  async #accountMeanwhile(): Promise<string> {
    const [first, ...others] = await this.#connected.accounts();
    this.#offerAccounts();
    if (first === undefined) throw new CofferError("no-account");
    if (others.length === 0) return first.id;
    throw new CofferError("no-account", {
      message: t("There is more than one account now. Choose the one to seal into, and try again."),
    });
  }

  #prepareQueue(): void {
    if (this.#usable) void this.#quietly(() => this.#queued.prepare(this.#into));
  }

  async #signOut(): Promise<void> {
    const may = this.#lock.locked ? this.#confirm(SIGN_OUT_LOCKED()) : this.#queued.mayLeave();
    if (await may) await this.#connected.signOut();
  }

  async #askToLock(): Promise<void> {
    if (this.#transfers.active === 0 || (await this.#confirm(LOCK_UNDER_WAY()))) this.#lock.lock();
  }

  /** What is in this page's memory goes with it, and the vault's frame too. */
  #leave(): void {
    this.#locking = true;
    // Until the browser has let it go.
    this.hidden = true;
    location.reload();
  }

  #confirm(question: Question): Promise<boolean> {
    return element<CofferConfirm>(this, "coffer-confirm").ask(question);
  }

  /** What waited is stored now. */
  #sent(name: string | undefined): void {
    this.#changed();
    if (name !== undefined) this.#say(t("{name} is sent.", { name: nameInWords(name) }));
  }

  #seal(files: readonly Incoming[]): void {
    void this.#attempt(async () => this.#sealInto(this.#into ?? (await this.#accountMeanwhile()), files));
  }

  #sealInto(into: string, files: readonly Incoming[]): void {
    for (const { file, folder, handle } of files) {
      let begun: Begun | undefined;
      let came: Came = "stored";
      const short = file.size <= SHORT_BYTES;
      // Of many that are short it is said when all are.
      const quiet = () => short && this.#transfers.counts;
      void this.#transfers.add({
        direction: "seal",
        name: file.name,
        type: file.type,
        again: true,
        pausable: file.size > PAUSABLE,
        size: file.size,
        short,
        came: () => came,
        discard: () => begun && this.#stopped.discard(begun),
        failure: (error) => begun && whyStopped(error),
        run: async (signal, onProgress) => {
          const onUpload = (upload: Begun) => {
            begun = upload;
            void handle?.then((of) => this.#stopped.keep(upload, of));
          };
          const options = {
            ...{ signal, onProgress, resumable: true, onUpload },
            ...(folder !== "" && { folder }),
          };
          const come = await this.#connected
            .queue((queue) => queue.seal(file, into, options))
            .catch((error: unknown) => {
              throw begun ? error : whyNotKept(error);
            });
          if (begun) this.#stopped.end(begun);
          // Signed out meanwhile.
          if (!this.#coffer?.identity) return;
          if ("stored" in come) {
            came = come.stored.state ? "unfinished" : "stored";
            return this.#show(come.stored, quiet());
          }
          came = "waits";
          if (quiet()) return;
          this.#say(t("{name} is sealed, and waits for the network.", { name: nameInWords(file.name) }));
        },
      });
    }
  }

  #show(sealed: Document, quiet = false): void {
    this.#sealed.set(nameOf(sealed), sealed);
    this.#documents = [sealed, ...this.#documents];
    this.#showDocuments();
    this.#news.tell();
    if (quiet) return;
    const said = { name: nameInWords(sealed.metadata?.name ?? "") };
    const words = sealed.state
      ? t("{name} is stored, and not in the index of your documents yet: finish it in its row.", said)
      : t("{name} is sealed.", said);
    this.#say(words);
    if (sealed.state) this.#undo.offer(words);
  }

  /** Stored, and entered in no index: its sealing was cut off, or an older program has sealed it. */
  #finish({ id, account }: Document): void {
    void this.#attempt(async () => {
      await this.#connected.finish(id, { account }).catch((error: unknown) => {
        // Somebody else has.
        if (!(error instanceof CofferError && error.code === "conflict")) throw error;
      });
      this.#news.tell();
      await this.#reload();
    });
  }

  #open(entry: Document): void {
    const viewer = element<CofferViewer>(this, "coffer-viewer");
    const from = this.#queued.has(entry.id) ? { open: this.#opener } : this.#connected;
    viewer.show(from, entry).catch((error: unknown) => this.notify(error, () => this.#open(entry)));
  }

  readonly #opener = (id: string, options: OpenOptions = {}) => this.#queued.open(id, options);

  #save(entry: Document): void {
    if (!entry.metadata) return;
    const { name, size } = entry.metadata;
    void this.#attempt(async () => {
      // Asked first: browsers allow the question only as a direct answer to a press.
      this.#saveTo(await chooseTarget(name, size), entry);
    });
  }

  #saveAll(entries: readonly Document[]): void {
    const named = entries.filter(({ metadata }) => metadata !== undefined);
    const [first] = named;
    if (first && named.length === 1) this.#save(first);
    if (named.length < 2) return;
    void this.#attempt(async () => {
      const targets = await chooseTargets();
      this.#lots.save(named, targets);
    });
  }

  #saveZip(entries: readonly Document[]): void {
    const named = entries.filter(isNamed);
    const name = zipName(new Date());
    void this.#attempt(async () => {
      const size = named.reduce((sum, { metadata }) => sum + metadata.size, 0);
      const target = await chooseTarget(name, size);
      void this.#transfers.add({
        ...{ direction: "save", name, type: "application/zip", again: true, size },
        run: async (signal, onProgress) => {
          await target(await zipOf(this.#connected, named, { name, signal, onProgress }), signal);
          this.#say(t("{name} is saved.", { name }));
        },
      });
    });
  }

  #saveTo(target: Target, { id, account, metadata }: Document): void {
    if (!metadata) return;
    const { name, type, size } = metadata;
    void this.#transfers.add({
      ...{ direction: "save", name, type, again: true, size },
      run: async (signal, onProgress) => {
        await target(await this.#opener(id, { account, signal, onProgress }), signal);
        this.#say(t("{name} is saved.", { name: nameInWords(name) }));
      },
    });
  }

  #reEncrypt(entry: Document): void {
    if (!entry.metadata) return;
    const name = nameInWords(entry.metadata.name);
    this.#sealAgain(entry, t("{name} is sealed under a new key.", { name }), (options) =>
      this.#connected.reEncrypt(entry.id, options).then((sealed) => withHistory(sealed, entry)),
    );
  }

  async #rename(entry: Document): Promise<void> {
    if (!entry.metadata) return;
    const name = await element<CofferRename>(this, "coffer-rename").ask(entry.metadata.name);
    if (name === undefined) return;
    this.#sealAgain(entry, t("{name} is its name now.", { name: nameInWords(name) }), (options) =>
      this.#connected.rename(entry.id, name, options).then((sealed) => withHistory(sealed, entry)),
    );
  }

  /** A file is the next version of a document, under the name that it has. */
  #replace(entry: Document, file: File): void {
    const name = nameInWords(entry.metadata?.name ?? "");
    this.#sealAgain(entry, t("{name} has another version.", { name }), (options) =>
      this.#following(entry, (versions) => versions.save(entry.id, file, options)),
    );
  }

  /** An earlier version is the newest again; undone, what was the newest is. */
  #revert(entry: Document, version: Document): void {
    const name = nameInWords(entry.metadata?.name ?? "");
    const said = t("{name} is as it was in version {version}.", {
      name,
      version: numberOf(version),
    });
    this.#sealAgain(entry, said, async (options) => {
      const sealed = await this.#following(entry, (versions) => versions.restore(version.id, options));
      if (!sealed.state) this.#undo.offer(said, () => this.#revert(sealed, entry));
      return sealed;
    });
  }

  /** What was the newest is an earlier one. Where somebody else was sooner, the list shows what they have saved. */
  async #following(entry: Document, save: (versions: Versions) => Promise<Document>): Promise<Document> {
    try {
      const saved = await this.#connected.versions(save);
      // What stands in no index yet follows nothing.
      if (saved.state) return saved;
      const { earlier = [], ...before } = entry;
      return Object.assign(saved, { earlier: [before, ...earlier] });
    } catch (error) {
      if (error instanceof CofferError && error.code === "document-replaced") void this.#reload();
      throw error;
    }
  }

  /** One that is sealed again takes the place of what it was. */
  #sealAgain(entry: Document, said: string, seal: (options: OpenOptions) => Promise<Document>): void {
    if (!entry.metadata) return;
    const { name, type } = entry.metadata;
    void this.#transfers.add({
      ...{ direction: "seal", name, type, again: true },
      run: async (signal, onProgress) => {
        const sealed = await seal({ account: entry.account, signal, onProgress });
        if (sealed.state) return this.#show(sealed);
        // An older list may still have one of the versions before it.
        const before = new Set([entry, ...(entry.earlier ?? [])].map(nameOf));
        for (const name of before) this.#removed.add(name);
        this.#sealed.set(nameOf(sealed), sealed);
        this.#documents = [sealed, ...this.#documents.filter((each) => !before.has(nameOf(each)))];
        this.#showDocuments();
        this.#news.tell();
        this.#say(said);
      },
    });
  }

  async #delete(entries: readonly Document[]): Promise<void> {
    const [first] = entries;
    if (!first) return;
    const count = entries.length;
    const name =
      count > 1
        ? t("{count} documents", { count: formatNumber(count) })
        : (first.metadata?.name ?? t("A document that cannot be opened"));
    const question = {
      ...{ name, yes: t("Delete"), no: count > 1 ? t("Keep them") : t("Keep it") },
      title: count > 1 ? t("Delete these documents?") : t("Delete this document?"),
      text:
        count > 1
          ? t("go from the list. Under Deleted you can restore them for {days} days.", { days: DAYS })
          : t("goes from the list. Under Deleted you can restore it for {days} days.", { days: DAYS }),
    };
    if (!(await this.#confirm(question))) return;
    this.#desk.selectNone();
    // The row or the bar that had the focus goes.
    part(this, "heading").focus();
    this.#lots.delete(entries, DAYS);
  }

  /** Of many each goes as it is deleted; drawn once a frame. */
  #takeOut(document: Document): void {
    this.#removed.add(nameOf(document));
    this.#leaving ??= requestAnimationFrame(() => {
      this.#leaving = undefined;
      this.#documents = this.#documents.filter((entry) => !this.#removed.has(nameOf(entry)));
      this.#showDocuments();
      part(this, "empty").hidden = this.#documents.length > 0;
    });
  }

  /** In a line of its own, and to who listens. */
  #outcome(words: string, undo?: () => void): void {
    // Signed out meanwhile.
    if (!this.#coffer?.identity) return;
    this.#say(words);
    this.#undo.offer(words, undo);
    this.#news.tell();
    // The row whose button had the focus is gone.
    if (document.activeElement === document.body) part(this, "heading").focus();
  }

  /** Here and in other tabs. */
  #changed(): void {
    if (!this.#coffer?.identity) return;
    this.#news.tell();
    void this.#reload();
  }

  async #attempt(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.notify(error, () => void this.#attempt(work));
    }
  }

  /** What nobody has asked for fails without a word, unless it is the first to meet that the sign-in has ended. */
  async #quietly(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof CofferError && SIGN_IN.has(error.code)) this.notify(error);
    }
  }

  #say(words: string): void {
    part(this, "status").textContent = words;
  }
}

/** Under another name or key it has the earlier versions that it had. */
function withHistory(sealed: Document, { earlier }: Document): Document {
  return earlier ? Object.assign(sealed, { earlier }) : sealed;
}

function accountsOf({ identity }: Coffer): string {
  return (identity?.accounts ?? []).map(({ id }) => id).join(" ");
}
