/** A PDF, drawn in a frame that has nothing: an opaque origin, its own content security policy without network, and the bytes of this one document. */

import type { PdfStart, PdfTold } from "./pdf-messages.ts";
import { t } from "./words.ts";

/** How long its first page may take, milliseconds: a PDF can be made so that it takes for ever. */
const PATIENCE = 30_000;

/** Told once whether its first page is there; then of a wish to close. */
export type PdfOutcome = "shown" | "password" | "broken" | "late";

/** A frame that draws the PDF once it is in the page. It ends with `signal`, and is to be removed then. */
export function pdfFrame(
  bytes: ArrayBuffer,
  on: { settled(outcome: PdfOutcome): void; close(): void },
  signal: AbortSignal,
): HTMLIFrameElement {
  const frame = document.createElement("iframe");
  frame.sandbox.value = "allow-scripts";
  frame.referrerPolicy = "no-referrer";
  frame.title = t("The pages of the PDF");
  frame.src = "/pdf.html";
  const { port1: port, port2: other } = new MessageChannel();
  let settle: PdfOutcome | undefined;
  const settled = (outcome: PdfOutcome) => {
    if (settle || signal.aborted) return;
    settle = outcome;
    clearTimeout(timer);
    if (outcome !== "shown") port.close();
    on.settled(outcome);
  };
  const timer = setTimeout(() => settled("late"), PATIENCE);
  port.onmessage = ({ data }) => {
    const told = data as PdfTold | null;
    if (told?.type === "shown") settled("shown");
    else if (told?.type === "failed") settled(told.why === "password" ? "password" : "broken");
    else if (told?.type === "close" && !signal.aborted) on.close();
  };
  const start: PdfStart = {
    ...{ type: "pdf", bytes, page: t("Page {page} of {pages}") },
    more: t("Pages 1 to {shown} of {pages} are drawn here. Save the PDF to read the others."),
    undrawn: t("This page cannot be drawn here. Save the PDF to read it."),
  };
  // An opaque origin has no name; where the frame can lead at all, the page's own policy says.
  const send = () => frame.contentWindow?.postMessage(start, "*", [other, bytes]);
  frame.addEventListener("load", send, { once: true });
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    port.close();
  });
  return frame;
}
