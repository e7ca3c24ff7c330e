/**
 * What a person is asked at the vault's origin before an app gets a code. Signing in by a name alone exists in
 * development only.
 */
import { escaped, heldForm, html, message, waiting } from "./html.ts";

/** What both questions have. */
type Question = {
  /** Host of the app that asks. */
  app: string;
  query: string;
  ticket: string;
  /** Where Cancel leads. */
  declined: string;
  /** Why it is asked again. */
  mistake: string | undefined;
};

type Page =
  /** Nobody is signed in, or somebody else wants to. */
  | ({ kind: "name" } & Question)
  /** `name` is signed in; `byName` offers to be somebody else. */
  | ({ kind: "continue"; name: string; byName: boolean } & Question)
  | { kind: "unknown-client" }
  | { kind: "no-sign-in" };

export function signInPage(page: Page, by: { nobody: boolean }): string {
  switch (page.kind) {
    case "name":
      return html("Sign in", nameForm(page), by);
    case "continue":
      return html("Sign in", continueForm(page), by);
    case "unknown-client":
      return html(
        "Unknown app",
        message(
          "This app is not known here",
          "It asked to sign you in, but it is not registered with this vault, or wants to be answered at another address. Nothing was sent to it.",
        ),
        by,
      );
    case "no-sign-in":
      return html(
        "Sign in",
        message(
          "Sign-in is not set up",
          "No way to sign in is configured on this server. Signing in by name alone exists in development only.",
        ),
        by,
      );
  }
}

function nameForm(page: Extract<Page, { kind: "name" }>): string {
  const { query, ticket, mistake, declined } = page;
  const wrong = mistake === undefined ? "" : ' aria-invalid="true"';
  const described = mistake === undefined ? "hint" : "mistake hint";
  const content = `<label for="name">Your name</label>
      <input id="name" name="name" required maxlength="64" autocomplete="username" autocapitalize="words" spellcheck="false" aria-describedby="${described}"${wrong}>
      ${problem(mistake)}
      <p class="hint" id="hint">Development sign-in: any name will do, and no password is asked.</p>
      <button disabled aria-describedby="wait">Sign in</button>
      ${waiting}`;
  return `${heading(page, "you")}
    ${heldForm({ action: "/sign-in", hidden: { continue: query, ticket } }, content)}
    <p class="other">${cancel(declined)}</p>`;
}

function continueForm(page: Extract<Page, { kind: "continue" }>): string {
  const { query, ticket, name, byName, mistake, declined } = page;
  const other = new URLSearchParams(query);
  other.set("prompt", "login");
  const content = `${problem(mistake)}
      <button disabled aria-describedby="wait">Continue as <bdi>${escaped(name)}</bdi></button>
      ${waiting}`;
  return `${heading(page, `<bdi>${escaped(name)}</bdi>`)}
    ${heldForm({ action: "/authorize", hidden: { continue: query, ticket } }, content)}
    <p class="other">${cancel(declined)}${byName ? `<a href="/authorize?${escaped(other.toString())}">Use another name</a>` : ""}</p>`;
}

/** Who asks, what began it, and what comes of it. The vault knows which app asked, and not whether a person made it ask. */
function heading({ app }: Question, whom: string): string {
  const name = `<strong>${escaped(app)}</strong>`;
  return `<h1>Sign in to ${escaped(app)}?</h1>
    <p class="lead" data-seen>This page is here because you pressed “Sign in” on ${name}. Go on, and that app can seal and open documents as ${whom} until you sign out.</p>
    <p class="aside">You did not press it? Then cancel, and the app gets nothing.</p>`;
}

function problem(mistake: string | undefined): string {
  return mistake === undefined ? "" : `<p class="mistake" id="mistake" role="alert">${escaped(mistake)}</p>`;
}

function cancel(declined: string): string {
  return `<a href="${escaped(declined)}" data-decline>Cancel</a>`;
}
