/** What passes between the page and the frame in which a PDF is drawn, over a port of its own. */

/** To the frame, once. `page`: how a page is called, with `{page}` and `{pages}` in it. */
export type PdfStart = { type: "pdf"; bytes: ArrayBuffer; page: string };

/** From the frame. */
export type PdfTold = { type: "shown" } | { type: "failed"; why: "password" | "broken" } | { type: "close" };
