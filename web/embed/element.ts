/** `<coffer-vault>`: sign in, seal, list, open and delete, in a shadow root whose parts an app styles. No markup from strings. */

import { discover } from "#web/browser/discovery.ts";
import {
  type Coffer,
  CofferError,
  connect,
  type Document,
  type ErrorCode,
  isAbort,
  messageOf,
} from "#web/browser/index.ts";
import { type SealedForm, sealFormData } from "./form.ts";
import { part, STYLE } from "./parts.ts";
import { Rows } from "./rows.ts";
import { chooseTarget } from "./save.ts";

/** How long what is deleted here can be brought back: nobody is asked before. */
const DAYS = 30;

/** Events that it fires; all bubble, and pass its shadow root. */
export interface CofferVaultEvents {
  /** It is connected. `detail.user` is the name of who is signed in, or undefined. */
  "coffer-ready": CustomEvent<{ user: string | undefined }>;
  "coffer-signed-out": CustomEvent<undefined>;
  "coffer-sealed": CustomEvent<{ document: Document }>;
  /** Somebody wants to open a document. Unless the app calls `preventDefault`, it is saved to the device. */
  "coffer-opening": CustomEvent<{ document: Document }>;
  "coffer-removed": CustomEvent<{ document: Document }>;
  /** What is shown in part `error` too. `detail.error` is a `CofferError`. */
  "coffer-error": CustomEvent<{ error: unknown }>;
}

export interface CofferVaultElement extends HTMLElement {
  /** The kit's connection, once it is ready. */
  readonly coffer: Coffer | undefined;
  /** Seals files as if they had been chosen here. */
  seal(files: Iterable<File>): Promise<void>;
  /** As `sealFormData`, with this connection. */
  sealFormData(form: FormData): Promise<SealedForm>;
  /** Reads the list again. */
  refresh(): Promise<void>;
}

declare global {
  interface HTMLElementTagNameMap {
    "coffer-vault": CofferVaultElement;
  }
  interface HTMLElementEventMap extends CofferVaultEvents {}
}

/**
 * Defines the element, once. Attributes: `vault` (origin; without it the app's own server is asked), `account` (id; the user's first without it), `readonly`
 * (nothing is sealed or deleted here). Answers the class, or undefined where there is no DOM, as in a server.
 */
export function defineCofferVault(name = "coffer-vault"): CustomElementConstructor | undefined {
  if (!("customElements" in globalThis)) return undefined;
  const known = customElements.get(name);
  if (known) return known;
  // Made here, since a server has no HTMLElement to extend when it imports this.
  const made = elementClass();
  customElements.define(name, made);
  return made;
}

/** The vault of the app's own server. What fails is an error of the kit's: this file may be in another build than the kit. */
async function discovered(): Promise<string> {
  const { vault } = await discover().catch((cause: { code?: ErrorCode }) => {
    throw new CofferError(cause.code ?? "offline", { cause });
  });
  return vault;
}

function elementClass(): CustomElementConstructor {
  return class extends HTMLElement implements CofferVaultElement {
    static observedAttributes = ["readonly"];
    coffer: Coffer | undefined;
    readonly #parts = part();
    #connecting = false;
    #listing: AbortController | undefined;
    /** Undefined until they have been listed: nothing is said of none before. */
    #documents: Document[] | undefined;
    readonly #rows = new Rows({
      open: (document) => void this.#attempt(() => this.#open(document)),
      remove: (document) => void this.#attempt(() => this.#remove(document)),
    });

    constructor() {
      super();
      const root = this.attachShadow({ mode: "open" });
      const sheet = new CSSStyleSheet();
      // No style element, which the app's policy would have to allow.
      sheet.replaceSync(STYLE);
      root.adoptedStyleSheets = [sheet];
      const { signIn, signOut, choose, files, all } = this.#parts;
      root.append(...all);
      signIn.addEventListener("click", () => void this.#attempt(async () => this.coffer?.signIn()));
      signOut.addEventListener("click", () => void this.#attempt(async () => this.coffer?.signOut()));
      choose.addEventListener("click", () => files.click());
      files.addEventListener("change", () => {
        const chosen = [...(files.files ?? [])];
        files.value = "";
        void this.seal(chosen);
      });
      this.addEventListener("dragover", (event) => {
        if (this.#takesFiles && event.dataTransfer?.types.includes("Files")) event.preventDefault();
      });
      this.addEventListener("drop", (event) => {
        const dropped = [...(event.dataTransfer?.files ?? [])];
        if (dropped.length === 0 || !this.#takesFiles) return;
        event.preventDefault();
        void this.seal(dropped);
      });
    }

    connectedCallback(): void {
      // Moved within the app's page, it is connected once; what was being listed then is listed again.
      if (this.coffer?.identity && !this.#documents) void this.#attempt(() => this.refresh());
      if (this.coffer || this.#connecting) return;
      this.#connecting = true;
      void this.#attempt(() => this.#connect()).finally(() => {
        this.#connecting = false;
      });
    }

    disconnectedCallback(): void {
      this.#listing?.abort();
    }

    attributeChangedCallback(): void {
      this.#show();
    }

    async seal(files: Iterable<File>): Promise<void> {
      const { progress } = this.#parts;
      for (const file of files)
        await this.#attempt(async () => {
          if (!this.coffer || !this.#takesFiles) return;
          progress.hidden = false;
          progress.setAttribute("aria-label", `Sealing ${file.name}`);
          const onProgress = ({ bytes }: { bytes: number }) => {
            progress.value = file.size === 0 ? 1 : bytes / file.size;
          };
          const document = await this.coffer.seal(file, { ...this.#account, onProgress });
          this.#documents = [document, ...(this.#documents ?? [])];
          this.#fire("coffer-sealed", { document });
          this.#show();
        }).finally(() => {
          progress.hidden = true;
        });
    }

    async sealFormData(form: FormData): Promise<SealedForm> {
      if (!this.coffer) throw new CofferError("signed-out");
      return sealFormData(this.coffer, form, this.#account);
    }

    async refresh(): Promise<void> {
      this.#listing?.abort();
      const listing = new AbortController();
      this.#listing = listing;
      const { account } = this.#account;
      const all = await this.coffer?.list({ signal: listing.signal });
      if (!all || listing.signal.aborted) return;
      this.#documents = all.filter((each) => account === undefined || each.account === account);
      this.#show();
    }

    get #account(): { account?: string } {
      const account = this.getAttribute("account");
      return account === null ? {} : { account };
    }

    get #takesFiles(): boolean {
      return this.coffer?.identity !== undefined && !this.hasAttribute("readonly");
    }

    async #connect(): Promise<void> {
      const vault = this.getAttribute("vault") ?? (await discovered());
      const coffer = await connect({ vault });
      this.coffer = coffer;
      coffer.addEventListener("signed-out", () => {
        this.#listing?.abort();
        this.#documents = undefined;
        this.#fire("coffer-signed-out", undefined);
        this.#show();
      });
      this.#show();
      this.#fire("coffer-ready", { user: coffer.identity?.user.name });
      if (coffer.identity) await this.refresh();
    }

    #show(): void {
      const { signIn, signOut, who, choose, list, empty } = this.#parts;
      const identity = this.coffer?.identity;
      signIn.hidden = !this.coffer || identity !== undefined;
      signOut.hidden = identity === undefined;
      who.textContent = identity?.user.name ?? "";
      choose.hidden = !this.#takesFiles;
      empty.hidden = identity === undefined || this.#documents?.length !== 0;
      this.#rows.show(list, this.#documents ?? [], this.#takesFiles);
    }

    async #open(document: Document): Promise<void> {
      if (!this.coffer || !this.#fire("coffer-opening", { document })) return;
      const { id, account, metadata, sealedSize } = document;
      // Asked first: browsers allow the question only as a direct answer to a press.
      const save = await chooseTarget(metadata?.name ?? "document", metadata?.size ?? sealedSize);
      await save(await this.coffer.open(id, { account }));
    }

    async #remove(document: Document): Promise<void> {
      const { id, account } = document;
      await this.coffer?.remove(id, { account, days: DAYS });
      this.#documents = this.#documents?.filter((each) => each.id !== id || each.account !== account);
      this.#fire("coffer-removed", { document });
      this.#show();
    }

    async #attempt(work: () => Promise<unknown>): Promise<void> {
      const { error: shown } = this.#parts;
      try {
        shown.hidden = true;
        await work();
      } catch (error) {
        if (isAbort(error)) return;
        shown.hidden = false;
        shown.textContent = messageOf(error);
        this.#fire("coffer-error", { error });
      }
    }

    #fire(name: keyof CofferVaultEvents, detail: unknown): boolean {
      return this.dispatchEvent(
        new CustomEvent(name, {
          detail,
          bubbles: true,
          composed: true,
          cancelable: name === "coffer-opening",
        }),
      );
    }
  };
}
