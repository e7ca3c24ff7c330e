/** What all pages of the vault have: the frame of the document, the form that is held back, and escaping. */

import { type Language, type Say, sayIn } from "./words.ts";

/**
 * A form whose button can be pressed only when `/page.js` has seen a person have the page in front of them for a moment
 * (web/hosts/pages). Without that script it cannot be pressed at all. `ends`: what the answer ends in this browser, an
 * app's origin or `*` for all.
 */
export function heldForm(
  { action, hidden, ends }: { action: string; hidden: Record<string, string>; ends?: string },
  content: string,
): string {
  const fields = Object.entries(hidden).map(
    ([name, value]) => `<input type="hidden" name="${name}" value="${escaped(value)}">`,
  );
  return `<form method="post" action="${action}" data-held${ends === undefined ? "" : ` data-ends="${escaped(ends)}"`}>
      ${fields.join("\n      ")}
      ${content}
    </form>`;
}

/** Says when the buttons of the page can be pressed. Read out as it changes. */
export function waiting(say: Say): string {
  return `<p class="hint" id="wait" role="status" data-wait>${say("One moment, so that you can read this first.")}</p>
      <noscript><p class="mistake">${say("The button needs JavaScript. Allow it for this address and reload.")}</p></noscript>`;
}

export function message(title: string, text: string): string {
  return `<h1>${title}</h1><p class="lead">${text}</p>`;
}

/**
 * Whether somebody is signed in in this browser, as far as the request shows: where no one is, or where a browser that comes
 * from another site does not show its cookie, `/page.js` asks nothing.
 */
export type Presence = "some" | "none" | "unknown";

/** `of`: who is there, and in which language it is. */
export function html(title: string, content: string, of: { by: Presence; language: Language }): string {
  const brand = sayIn(of.language)("Coffer vault");
  return `<!doctype html>
<html lang="${of.language}">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>${title} · ${brand}</title>
  <link rel="stylesheet" href="/page.css">
  <script src="/page.js" defer></script>
</head>
<body data-session="${of.by}">
  <main>
    <p class="brand"><svg viewBox="0 0 32 32" aria-hidden="true" focusable="false"><rect x="3" y="5" width="26" height="22" rx="3.5"/><path d="M3 14h26"/><circle cx="16" cy="14" r="4"/></svg>${brand}</p>
    ${content}
  </main>
</body>
</html>
`;
}

/** For text and double-quoted attribute values. */
export function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}
