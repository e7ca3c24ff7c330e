/** What passes between the page and the frame in which a PDF is drawn, over a port of its own. */

/**
 * To the frame, once, with all that it says. `page`: how a page is called, with `{page}` and `{pages}` in it; `more`: that there are more pages than are
 * drawn, with `{shown}` and `{pages}`; `undrawn`: that a page cannot be drawn.
 */
export type PdfStart = { type: "pdf"; bytes: ArrayBuffer; page: string; more: string; undrawn: string };

/** From the frame. */
export type PdfTold = { type: "shown" } | { type: "failed"; why: "password" | "broken" } | { type: "close" };
