/** What a person is asked at the vault's origin before an app gets a code, and what they are told where nobody can be asked. */
import type { ProviderFailure } from "../../iam/index.ts";
import { escaped, heldForm, html, message, type Presence, waiting } from "./html.ts";
import { type Language, type Say, sayIn, type Words } from "./words.ts";

export type Mistake = { words: Words; seconds?: number };

/** What each page has that is about an app's request. */
type OfRequest = {
  /** Host of the app that asks. */
  app: string;
  query: string;
  /** Where Cancel leads. */
  declined: string;
  /** Why it is asked again: a sentence, and how many seconds it speaks of. */
  mistake: Mistake | undefined;
};

type Page =
  /** `name` is signed in, or has just come back from the provider. */
  | ({
      kind: "continue";
      name: string;
      by: "session" | "provider";
      /** Offers to be somebody else. */
      others: boolean;
      ticket: string;
    } & OfRequest)
  /** Nobody is signed in any more. */
  | ({ kind: "begin" } & OfRequest)
  /** The provider signed nobody in. `of` is the request to begin again with, where that is known. */
  | {
      kind: "failed";
      failure: ProviderFailure;
      of: Pick<OfRequest, "query" | "declined"> | null;
      requestId: string;
    }
  | { kind: "unknown-client" }
  | { kind: "no-sign-in" };

export function signInPage(page: Page, by: Presence, language: Language): string {
  const say = sayIn(language);
  const of = { by, language };
  switch (page.kind) {
    case "continue":
      return html(say("Sign in"), continueForm(page, say), of);
    case "begin":
      return html(say("Sign in"), beginAgain(page, say), of);
    case "failed":
      return html(say("Not signed in"), failed(page, say), of);
    case "unknown-client": {
      const text =
        "It asked to sign you in, but it is not registered with this vault, or wants to be answered at another address. Nothing was sent to it.";
      return html(say("Unknown app"), message(say("This app is not known here"), say(text)), of);
    }
    case "no-sign-in": {
      const text =
        "No identity provider is configured on this server, so nobody can sign in. Whoever runs it finds in its documentation how to name one.";
      return html(say("Sign in"), message(say("Sign-in is not set up"), say(text)), of);
    }
  }
}

function continueForm(page: Extract<Page, { kind: "continue" }>, say: Say): string {
  const { query, ticket, by, others, mistake, declined } = page;
  const name = `<bdi>${escaped(page.name)}</bdi>`;
  const content = `${problem(mistake, say)}
      <button disabled aria-describedby="wait">${say("Continue as {name}", { name })}</button>
      ${waiting(say)}`;
  const action = by === "session" ? "/authorize" : "/sign-in";
  return `${heading(page, name, say)}
    ${heldForm({ action, hidden: { continue: query, ticket } }, content)}
    <p class="other">${cancel(declined, say)}${others ? `<a href="${escaped(asAnother(query))}">${say("Use another name")}</a>` : ""}</p>`;
}

/** A link: Chromium would hold a form's way to the provider to `form-action`. */
function beginAgain({ app, query, mistake, declined }: Extract<Page, { kind: "begin" }>, say: Say): string {
  return `<h1>${say("Sign in to {app}", { app: escaped(app) })}</h1>
    ${problem(mistake, say)}
    <p class="lead">${say("Nobody is signed in at this vault in this browser any more.")}</p>
    <p class="other"><a class="button" href="${escaped(authorize(query))}">${say("Sign in")}</a>${cancel(declined, say)}</p>`;
}

/** What a person can do about it. What exactly was wrong is the operator's to know, under the number of the request. */
const FAILURES: Record<ProviderFailure, { title: Words; text: Words }> = {
  declined: {
    title: "You are not signed in",
    text: "Your identity provider did not sign you in. If you did not cancel it yourself, it may not let you use this vault.",
  },
  stale: {
    title: "This sign-in is over",
    text: "It was begun too long ago, in another browser, or another one was begun since. Go back to the app and sign in again.",
  },
  invalid: {
    title: "You are not signed in",
    text: "What your identity provider answered cannot be trusted, so nobody was signed in. Try again; if it goes on, tell whoever runs this server.",
  },
  unavailable: {
    title: "You cannot sign in right now",
    text: "Your identity provider does not answer as it should. Try again in a minute; if it goes on, tell whoever runs this server.",
  },
};

function failed({ failure, of, requestId }: Extract<Page, { kind: "failed" }>, say: Say): string {
  const { title, text } = FAILURES[failure];
  const again =
    of === null
      ? ""
      : `<p class="other"><a class="button" href="${escaped(authorize(of.query))}">${say("Try again")}</a>${cancel(of.declined, say)}</p>`;
  return `${message(say(title), say(text))}
    ${again}
    <p class="aside">${say("Request {id}", { id: `<code>${escaped(requestId)}</code>` })}</p>`;
}

/** Who asks, what began it, and what comes of it. The vault knows which app asked, and not whether a person made it ask. */
function heading(page: OfRequest, whom: string, say: Say): string {
  const app = escaped(page.app);
  const values = { app: `<strong>${app}</strong>`, name: whom };
  return `<h1>${say("Sign in to {app}?", { app })}</h1>
    <p class="lead" data-seen>${say("This page is here because you pressed “Sign in” on {app}. Go on, and that app can seal and open documents as {name} until you sign out.", values)}</p>
    <p class="aside">${say("You did not press it? Then cancel, and the app gets nothing.")}</p>`;
}

function problem(mistake: Mistake | undefined, say: Say): string {
  if (mistake === undefined) return "";
  const said = say(mistake.words, { seconds: String(mistake.seconds ?? "") });
  return `<p class="mistake" id="mistake" role="alert">${said}</p>`;
}

function cancel(declined: string, say: Say): string {
  return `<a href="${escaped(declined)}" data-decline>${say("Cancel")}</a>`;
}

function authorize(query: string): string {
  return `/authorize?${query}`;
}

/** The same request, for somebody whom the provider asks again. Numbered: who came back to this one is asked no more. */
function asAnother(query: string): string {
  const other = new URLSearchParams(query);
  const attempt = Number.parseInt(other.get("attempt") ?? "0", 10) || 0;
  other.set("prompt", "login");
  other.set("attempt", String((attempt % 1000) + 1));
  return authorize(other.toString());
}
