/** The provider's pages: one form with one field, and a sentence for what cannot be answered. */

import { COLOURS, documentOf, escaped } from "../pages/index.ts";

/** Asks for a name. `query` is that of the request, and comes back with the answer. */
export function namePage({
  query,
  declined,
  mistake,
}: {
  query: string;
  declined: string;
  mistake?: string;
}): string {
  const wrong = mistake === undefined ? "" : ' aria-invalid="true"';
  const described = mistake === undefined ? "hint" : "mistake hint";
  return html(
    "Sign in",
    `<h1>Who are you?</h1>
    <form method="post" action="/authorize">
      <input type="hidden" name="request" value="${escaped(query)}">
      <label for="name">Your name</label>
      <input id="name" name="name" required maxlength="64" autofocus autocomplete="username" autocapitalize="words" spellcheck="false" aria-describedby="${described}"${wrong}>
      ${mistake === undefined ? "" : `<p class="mistake" id="mistake" role="alert">${escaped(mistake)}</p>`}
      <p class="hint" id="hint">Any name will do, and no password is asked: this identity provider is for development, on this machine alone.</p>
      <button>Sign in</button>
    </form>
    <p class="other"><a href="${escaped(declined)}">Cancel</a></p>`,
  );
}

export function sentencePage(title: string, sentence: string): string {
  return html(title, `<h1>${escaped(title)}</h1><p class="lead">${escaped(sentence)}</p>`);
}

function html(title: string, content: string): string {
  return documentOf({ title, brand: "Development identity provider" }, content);
}

export const style = `${COLOURS}body {
  margin: 0;
  min-height: 100dvh;
  display: grid;
  place-items: center;
  padding: 1.5rem;
  background: var(--ground);
  color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif;
}
main {
  width: min(26rem, 100%);
  padding: 2rem;
  background: var(--paper);
  border: 1px dashed var(--soft);
  border-radius: 0.75rem;
}
.brand { margin: 0 0 1.5rem; color: var(--soft); font-weight: 600; }
h1 { margin: 0 0 0.5rem; font-size: 1.375rem; line-height: 1.25; text-wrap: balance; }
.lead { margin: 0; overflow-wrap: anywhere; }
form { margin-top: 1.5rem; display: grid; gap: 0.5rem; }
label { font-weight: 600; }
input:not([type="hidden"]) {
  font: inherit;
  color: inherit;
  background: var(--ground);
  border: 1px solid var(--soft);
  border-radius: 0.5rem;
  padding: 0.625rem 0.75rem;
}
input[aria-invalid="true"] { border-color: var(--wrong); }
button {
  font: inherit;
  font-weight: 600;
  margin-top: 0.75rem;
  padding: 0.625rem 1rem;
  color: var(--on-accent);
  background: var(--accent);
  border: 1px solid transparent;
  border-radius: 0.5rem;
  cursor: pointer;
}
.other { margin: 1rem 0 0; }
a { color: inherit; text-underline-offset: 0.2em; }
:is(input, button, a):focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.hint, .mistake { margin: 0; font-size: 0.875rem; color: var(--soft); }
.mistake { color: var(--wrong); font-weight: 600; }
`;
