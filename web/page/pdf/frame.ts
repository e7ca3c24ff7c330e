/**
 * What draws a PDF: runs in a frame with an opaque origin, without network, storage or anything of the page, and gets the bytes over a port.
 * Draws pages alone: no script of a PDF runs, no link of it leads anywhere, nothing is fetched. May import: types of web/page, pdfjs-dist.
 */

import { GlobalWorkerOptions, getDocument, type PDFDocumentProxy, type PDFPageProxy } from "pdfjs-dist";
import type { PdfStart, PdfTold } from "../pdf-messages.ts";

/** The worker of PDF.js as one classic script; written in when this is built. */
declare const __COFFER_PDF_WORKER__: string;

/** Pages that are drawn at all, and those that stay drawn at a time. */
const MAX_PAGES = 500;
const MAX_DRAWN = 8;
/** Pixels of one page, of one image in it, and how many times longer one side of it is shown than the other at the most. */
const MAX_PIXELS = 4 << 20;
const MAX_IMAGE = 16 << 20;
const LONGEST = 20;
/** Characters of a page that are read out. */
const MAX_TEXT = 20_000;

addEventListener("message", function begin({ source, data, ports: [port] }) {
  if (source !== parent || !port) return;
  removeEventListener("message", begin);
  const tell = (told: PdfTold) => port.postMessage(told);
  addEventListener("keydown", ({ key }) => key === "Escape" && tell({ type: "close" }));
  show(data as PdfStart).then(
    () => tell({ type: "shown" }),
    (error: unknown) => {
      const why = (error as Error | null)?.name === "PasswordException" ? "password" : "broken";
      tell({ type: "failed", why });
    },
  );
});

async function show({ bytes, page: named, more, undrawn }: PdfStart): Promise<void> {
  const code = new Blob([__COFFER_PDF_WORKER__], { type: "text/javascript" });
  GlobalWorkerOptions.workerPort = new Worker(URL.createObjectURL(code));
  const loading = getDocument({
    data: bytes,
    ...{ isEvalSupported: false, useWasm: false, useWorkerFetch: false, enableXfa: false, enableHWA: false },
    ...{ useSystemFonts: true, maxImageSize: MAX_IMAGE, canvasMaxAreaInBytes: 4 * MAX_IMAGE, verbosity: 0 },
  });
  const pdf = await loading.promise;
  const pages = Math.min(pdf.numPages, MAX_PAGES);
  const first = await pdf.getPage(1);
  const sheets = Array.from({ length: pages }, (_, index) =>
    sheetOf(first, named.replace("{page}", String(index + 1)).replace("{pages}", String(pdf.numPages))),
  );
  const others = more.replace("{shown}", String(pages)).replace("{pages}", String(pdf.numPages));
  document.querySelector("main")?.append(...sheets, ...(pages < pdf.numPages ? [told(others)] : []));
  await draw(pdf, 1, sheets[0]);
  watch(pdf, sheets, undrawn);
}

function told(words: string): HTMLElement {
  const made = document.createElement("div");
  made.textContent = words;
  return made;
}

/** An empty page, as high as its contents are taken to be until it is drawn. */
function sheetOf(page: PDFPageProxy, name: string): HTMLElement {
  const sheet = document.createElement("section");
  sheet.ariaLabel = name;
  setHeight(sheet, page);
  return sheet;
}

function setHeight(sheet: HTMLElement, page: PDFPageProxy): void {
  const { width, height } = page.getViewport({ scale: 1 });
  sheet.style.aspectRatio = String(Math.min(Math.max(width / height, 1 / LONGEST), LONGEST) || 1);
}

/** Draws what comes into view, and lets go of what is longest out of it. */
function watch(pdf: PDFDocumentProxy, sheets: readonly HTMLElement[], undrawn: string): void {
  const drawn: HTMLElement[] = sheets.slice(0, 1);
  let drawing = Promise.resolve();
  const seen = new Set<HTMLElement>();
  const one = async (sheet: HTMLElement) => {
    if (!seen.has(sheet) || drawn.includes(sheet)) return;
    drawn.push(sheet);
    await draw(pdf, sheets.indexOf(sheet) + 1, sheet).catch(() => sheet.replaceChildren(told(undrawn)));
    const old = drawn.length > MAX_DRAWN ? drawn.find((each) => !seen.has(each)) : undefined;
    if (!old) return;
    drawn.splice(drawn.indexOf(old), 1);
    old.replaceChildren();
  };
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const sheet = target as HTMLElement;
        if (!isIntersecting) seen.delete(sheet);
        else {
          seen.add(sheet);
          drawing = drawing.then(() => one(sheet));
        }
      }
    },
    // The margin counts for a root that is named.
    { root: document, rootMargin: "100%" },
  );
  for (const sheet of sheets) observer.observe(sheet);
}

async function draw(pdf: PDFDocumentProxy, number: number, sheet: HTMLElement | undefined): Promise<void> {
  if (!sheet) return;
  const page = await pdf.getPage(number);
  setHeight(sheet, page);
  const { width, height } = page.getViewport({ scale: 1 });
  const wanted = (sheet.clientWidth * devicePixelRatio) / width;
  const scale = Math.min(wanted, Math.sqrt(MAX_PIXELS / (width * height)));
  const viewport = page.getViewport({ scale });
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.min(Math.floor(viewport.width), MAX_PIXELS));
  canvas.height = Math.max(1, Math.min(Math.floor(viewport.height), Math.floor(MAX_PIXELS / canvas.width)));
  await page.render({ canvas, viewport }).promise;
  const { items } = await page.getTextContent();
  const text = document.createElement("p");
  text.textContent = items
    .map((item) => ("str" in item ? item.str : ""))
    .join(" ")
    .slice(0, MAX_TEXT);
  sheet.replaceChildren(canvas, text);
  page.cleanup();
}
