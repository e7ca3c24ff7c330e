/**
 * What a person is asked at the vault's origin before an app gets a code: one form, no script. Signing in by a name
 * alone exists in development only.
 */

type Page =
  /** Nobody is signed in, or somebody else wants to. */
  | { kind: "name"; app: string; query: string; mistake: string | undefined }
  /** `name` is signed in; `byName` offers to be somebody else. */
  | { kind: "continue"; app: string; query: string; name: string; byName: boolean }
  | { kind: "unknown-client" }
  | { kind: "no-sign-in" };

export function signInPage(page: Page): string {
  switch (page.kind) {
    case "name":
      return html("Sign in", nameForm(page));
    case "continue":
      return html("Sign in", continueForm(page));
    case "unknown-client":
      return html(
        "Unknown app",
        message(
          "This app is not known here",
          "It asked to sign you in, but it is not registered with this vault, or wants to be answered at another address. Nothing was sent to it.",
        ),
      );
    case "no-sign-in":
      return html(
        "Sign in",
        message(
          "Sign-in is not set up",
          "No way to sign in is configured on this server. Signing in by name alone exists in development only.",
        ),
      );
  }
}

function nameForm({ app, query, mistake }: Extract<Page, { kind: "name" }>): string {
  const problem =
    mistake === undefined ? "" : `<p class="mistake" id="mistake" role="alert">${escaped(mistake)}</p>`;
  const described = mistake === undefined ? "hint" : "mistake hint";
  return `
    ${heading(app)}
    <form method="post" action="/sign-in">
      <input type="hidden" name="continue" value="${escaped(query)}">
      <label for="name">Your name</label>
      <input id="name" name="name" required maxlength="64" autocomplete="username" autocapitalize="words" spellcheck="false" autofocus aria-describedby="${described}"${mistake === undefined ? "" : ' aria-invalid="true"'}>
      ${problem}
      <p class="hint" id="hint">Development sign-in: any name will do, and no password is asked.</p>
      <button>Sign in</button>
    </form>`;
}

function continueForm({ app, query, name, byName }: Extract<Page, { kind: "continue" }>): string {
  const other = new URLSearchParams(query);
  other.set("prompt", "login");
  return `
    ${heading(app)}
    <form method="post" action="/authorize">
      <input type="hidden" name="continue" value="${escaped(query)}">
      <button autofocus>Continue as <bdi>${escaped(name)}</bdi></button>
    </form>
    ${byName ? `<p class="other"><a href="/authorize?${escaped(other.toString())}">Use another name</a></p>` : ""}`;
}

function heading(app: string): string {
  return `<h1>Sign in to your vault</h1>
    <p class="lead"><strong>${escaped(app)}</strong> will be able to seal and open your documents.</p>`;
}

function message(title: string, text: string): string {
  return `<h1>${title}</h1><p class="lead">${text}</p>`;
}

function html(title: string, content: string): string {
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>${title} · Coffer vault</title>
  <link rel="stylesheet" href="/sign-in.css">
</head>
<body>
  <main>
    <p class="brand"><svg viewBox="0 0 32 32" aria-hidden="true" focusable="false"><rect x="3" y="5" width="26" height="22" rx="3.5"/><path d="M3 14h26"/><circle cx="16" cy="14" r="4"/></svg>Coffer vault</p>
    ${content}
  </main>
</body>
</html>
`;
}

/** For text and double-quoted attribute values. */
function escaped(text: string): string {
  const entities: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (character) => entities[character]!);
}

export const signInStyle = `:root {
  color-scheme: light dark;
  --ink: light-dark(#15181c, #eef0f2);
  --soft: light-dark(#565e67, #a3abb4);
  --paper: light-dark(#ffffff, #1b1f24);
  --ground: light-dark(#f4f5f6, #121417);
  --line: light-dark(#c9ced4, #3a424b);
  --accent: light-dark(#14181d, #eceef0);
  --on-accent: light-dark(#f4f5f6, #121417);
  --wrong: light-dark(#a3200d, #ff9d8a);
}
* { box-sizing: border-box; }
body {
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
  border: 1px solid var(--line);
  border-radius: 0.75rem;
}
.brand { display: flex; align-items: center; gap: 0.5rem; margin: 0 0 1.5rem; color: var(--soft); font-weight: 600; }
.brand svg { width: 1.5rem; height: 1.5rem; fill: none; stroke: var(--accent); stroke-width: 2; }
.brand circle { fill: #b78a2b; stroke: var(--paper); }
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
button, .other { overflow-wrap: anywhere; }
.other { margin: 1rem 0 0; }
a { color: inherit; text-underline-offset: 0.2em; }
:is(input, button, a):focus-visible { outline: 2px solid light-dark(#8a6312, #dcb560); outline-offset: 2px; }
.hint, .mistake { margin: 0; font-size: 0.875rem; color: var(--soft); }
.mistake { color: var(--wrong); font-weight: 600; }
`;
