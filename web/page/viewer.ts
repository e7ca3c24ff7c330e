/** `<coffer-viewer>`: a document, open. Fires `coffer-save`. Its plaintext is let go when it closes. */

import { type Coffer, CofferError, type Document, isAbort, type Metadata } from "#web/browser/index.ts";
import { playFrom } from "#web/browser/service-worker.ts";
import { messageInWords } from "./error-words.ts";
import { formatBytes, formatWait } from "./format.ts";
import { nameInWords, shownName } from "./names.ts";
import { element, onPress, part, TemplateElement } from "./part.ts";
import { type PdfOutcome, pdfFrame } from "./pdf-view.ts";
import { isPdf, previewOf } from "./preview.ts";
import { t, type Words } from "./words.ts";

const PDF_FAILURES: Readonly<Record<Exclude<PdfOutcome, "shown">, Words>> = {
  password: "This PDF asks for a password.",
  broken: "This PDF cannot be drawn here.",
  late: "This PDF takes too long to be drawn here.",
};

/** Where a document is opened from. */
export type Opener = Pick<Coffer, "open"> & Partial<Pick<Coffer, "openRanged">>;

export class CofferViewer extends TemplateElement {
  #reading: AbortController | undefined;
  /** The reading that has not come to its end. */
  #opening: AbortController | undefined;
  #url: string | undefined;
  #document: Document | undefined;

  protected override ready(): void {
    onPress(this, "close", () => this.#dialog.close());
    onPress(this, "save", () => {
      const document = this.#document;
      this.#dialog.close();
      this.dispatchEvent(new CustomEvent("coffer-save", { bubbles: true, detail: document }));
    });
    this.#dialog.addEventListener("close", () => this.#release());
    // A press beside the dialog closes it, as people expect of a sheet.
    this.#dialog.addEventListener("click", (event) => {
      if (event.target === this.#dialog) this.#dialog.close();
    });
  }

  /** Opens a document and shows it; `from` one without ranges, what plays comes whole. Rejects with the reason when it cannot be opened; the viewer is closed then. */
  async show(from: Opener, document: Document): Promise<void> {
    const { metadata } = document;
    if (!metadata) return;
    this.#document = document;
    const reading = new AbortController();
    this.#reading = reading;
    const { signal } = reading;
    part(this, "name").textContent = shownName(metadata.name);
    part(this, "meta").textContent = formatBytes(metadata.size);
    const kind = previewOf(metadata);
    const brief = kind === "none" || kind === "large";
    this.#dialog.toggleAttribute("data-brief", brief);
    if (kind === "none" || kind === "large") {
      this.#say(
        kind === "large" ? t("Too large to show here.") : t("No preview for this kind of document."),
        t("It is safe in Coffer. Save it to this device to open it with another program."),
      );
      this.#dialog.showModal();
      return;
    }
    this.#say(t("Opening…"));
    this.#dialog.showModal();
    this.#opening = reading;
    try {
      const plays = kind === "audio" || kind === "video";
      if (plays && from.openRanged) {
        const ranged = await from.openRanged(document.id, { account: document.account, signal });
        return await this.#play(kind, ranged, (onError) => playFrom(ranged, { signal, onError }), signal);
      }
      const open = await from.open(document.id, {
        account: document.account,
        signal,
        onProgress: ({ step, bytes, total }) => {
          if (step === "key") this.#say(t("Getting its key from the key store…"));
          else
            this.#say(
              t("Opening {bytes} of {total}", { bytes: formatBytes(bytes), total: formatBytes(total ?? 0) }),
            );
        },
      });
      const blob = await open.blob();
      signal.throwIfAborted();
      this.#opening = undefined;
      if (plays) await this.#play(kind, metadata, async () => this.#hold(blob), signal);
      else if (kind === "image") this.#image(blob, metadata.name);
      else if (kind === "text") this.#text(await blob.text());
      else if (await isPdf(blob)) await this.#pdf(blob, signal);
      else
        this.#say(
          t("This does not look like a PDF."),
          t("Save it to this device to look at it with another program."),
        );
    } catch (error) {
      if (isAbort(error)) return;
      this.#dialog.close();
      throw error;
    } finally {
      if (this.#opening === reading) this.#opening = undefined;
    }
  }

  /** Shows that the server asked to come later, while a document is being opened. */
  wait(milliseconds: number): void {
    if (this.#opening) this.#say(formatWait(milliseconds));
  }

  /** Closes it, for example when the sign-in ends. */
  close(): void {
    this.#dialog.close();
  }

  #say(title: string, text?: string): void {
    const message = document.createElement("div");
    message.className = "message";
    for (const [tag, words] of [
      ["p", title],
      ["p", text],
    ] as const) {
      if (!words) continue;
      const line = document.createElement(tag);
      line.textContent = words;
      message.append(line);
    }
    this.#fill(message);
  }

  #image(blob: Blob, name: string): void {
    const image = document.createElement("img");
    image.alt = nameInWords(name);
    image.addEventListener("error", () =>
      this.#say(t("This image is damaged or of a kind that the browser cannot draw.")),
    );
    image.src = this.#hold(blob);
    this.#fill(image);
  }

  /** What cannot be played is said by why. `source` gives its address, and tells what fails there. */
  async #play(
    kind: "audio" | "video",
    { name, type }: Pick<Metadata, "name" | "type">,
    source: (onError: (error: unknown) => void) => Promise<string>,
    signal: AbortSignal,
  ) {
    const player = document.createElement(kind);
    const refused = () =>
      this.#say(
        t(
          kind === "audio"
            ? "Your browser cannot play this recording."
            : "Your browser cannot play this video.",
        ),
        t("Save it to this device to look at it with another program."),
      );
    if (player.canPlayType(type) === "") return refused();
    let failure: unknown;
    const end = () => this.#say(messageInWords(failure), t("Nothing more of it is shown."));
    const onError = (error: unknown) => {
      failure = error;
      // The element would ask again and again for what stays as it is.
      if (error instanceof CofferError && error.code === "decrypt-failed") end();
    };
    player.src = await source(onError);
    player.addEventListener("error", () => {
      if (signal.aborted) return;
      if (failure === undefined) refused();
      else end();
    });
    player.controls = true;
    player.setAttribute("aria-label", name);
    this.#fill(player);
    player.focus();
  }

  #text(text: string): void {
    const lines = document.createElement("pre");
    lines.textContent = text;
    this.#fill(lines);
    if (text === "") this.#say(t("This document is empty."));
  }

  /** Drawn here; what cannot be is offered to the browser's own viewer. */
  async #pdf(blob: Blob, signal: AbortSignal): Promise<void> {
    const bytes = await blob.arrayBuffer();
    signal.throwIfAborted();
    const settled = (outcome: PdfOutcome) =>
      outcome !== "shown" && this.#offerPdf(blob, PDF_FAILURES[outcome]);
    this.#fill(pdfFrame(bytes, { settled, close: () => this.#dialog.close() }, signal));
  }

  #offerPdf(blob: Blob, why: Words): void {
    this.#dialog.toggleAttribute("data-brief", true);
    this.#say(t(why), t("It opens in your browser's own viewer, in a tab of its own."));
    const link = document.createElement("a");
    link.className = "button primary";
    link.textContent = t("Open the PDF in a new tab");
    link.href = this.#hold(new Blob([blob], { type: "application/pdf" }));
    link.target = "_blank";
    link.rel = "noopener";
    part(this, "sheet").firstElementChild?.append(link);
    link.focus();
  }

  #fill(content: HTMLElement): void {
    part(this, "sheet").replaceChildren(content);
  }

  #hold(blob: Blob): string {
    this.#url = URL.createObjectURL(blob);
    return this.#url;
  }

  #release(): void {
    this.#reading?.abort();
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = undefined;
    part(this, "sheet").replaceChildren();
  }

  get #dialog(): HTMLDialogElement {
    return element<HTMLDialogElement>(this, "dialog");
  }
}
