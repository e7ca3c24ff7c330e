/** What a person is asked at the vault's origin before an app gets a code, and what they are told where nobody can be asked. */
import type { ProviderFailure } from "../../iam/index.ts";
import { escaped, heldForm, html, message, type Presence, waiting } from "./html.ts";

/** What each page has that is about an app's request. */
type OfRequest = {
  /** Host of the app that asks. */
  app: string;
  query: string;
  /** Where Cancel leads. */
  declined: string;
  /** Why it is asked again. */
  mistake: string | undefined;
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

export function signInPage(page: Page, by: Presence): string {
  switch (page.kind) {
    case "continue":
      return html("Sign in", continueForm(page), by);
    case "begin":
      return html("Sign in", beginAgain(page), by);
    case "failed":
      return html("Not signed in", failed(page), by);
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
          "No identity provider is configured on this server, so nobody can sign in. Whoever runs it finds in its documentation how to name one.",
        ),
        by,
      );
  }
}

function continueForm(page: Extract<Page, { kind: "continue" }>): string {
  const { query, ticket, name, by, others, mistake, declined } = page;
  const content = `${problem(mistake)}
      <button disabled aria-describedby="wait">Continue as <bdi>${escaped(name)}</bdi></button>
      ${waiting}`;
  const action = by === "session" ? "/authorize" : "/sign-in";
  return `${heading(page, `<bdi>${escaped(name)}</bdi>`)}
    ${heldForm({ action, hidden: { continue: query, ticket } }, content)}
    <p class="other">${cancel(declined)}${others ? `<a href="${escaped(asAnother(query))}">Use another name</a>` : ""}</p>`;
}

/** A link: Chromium would hold a form's way to the provider to `form-action`. */
function beginAgain({ app, query, mistake, declined }: Extract<Page, { kind: "begin" }>): string {
  return `<h1>Sign in to ${escaped(app)}</h1>
    ${problem(mistake)}
    <p class="lead">Nobody is signed in at this vault in this browser any more.</p>
    <p class="other"><a class="button" href="${escaped(authorize(query))}">Sign in</a>${cancel(declined)}</p>`;
}

/** What a person can do about it. What exactly was wrong is the operator's to know, under the number of the request. */
const FAILURES: Record<ProviderFailure, { title: string; text: string }> = {
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

function failed({ failure, of, requestId }: Extract<Page, { kind: "failed" }>): string {
  const { title, text } = FAILURES[failure];
  const again =
    of === null
      ? ""
      : `<p class="other"><a class="button" href="${escaped(authorize(of.query))}">Try again</a>${cancel(of.declined)}</p>`;
  return `${message(title, text)}
    ${again}
    <p class="aside">Request <code>${escaped(requestId)}</code></p>`;
}

/** Who asks, what began it, and what comes of it. The vault knows which app asked, and not whether a person made it ask. */
function heading({ app }: OfRequest, whom: string): string {
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
