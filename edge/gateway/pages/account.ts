/** The vault's account page: who is signed in in this browser, in which apps, and the ways out. */
import type { Account } from "../../iam/index.ts";
import { escaped, heldForm, html, message, waiting } from "./html.ts";
import { type Language, type Say, sayIn, type Words } from "./words.ts";

/** `provider` is its address, where signing out everywhere is signing out there too. */
type Shown = Account & { provider: string | null };

export function accountPage(account: Shown | null, language: Language, mistake?: Words): string {
  const say = sayIn(language);
  if (account === null) {
    const text = say(
      "Nobody is signed in at this vault in this browser, and it keeps no keys here. Open an app to sign in.",
    );
    return html(say("Signed out"), message(say("You are signed out"), text), { by: "none", language });
  }
  const { name, apps, ticket, provider } = account;
  const everywhere = heldForm(
    { action: "/account", hidden: { ticket, ...(provider !== null && { provider }) }, ends: "*" },
    `${mistake === undefined ? "" : `<p class="mistake" role="alert">${say(mistake)}</p>`}
      <button disabled aria-describedby="wait">${say("Sign out everywhere")}</button>
      ${waiting(say)}`,
  );
  const whom = `<strong><bdi>${escaped(name)}</bdi></strong>`;
  return html(
    say("Your vault"),
    `<h1>${say("Your vault in this browser")}</h1>
    <p class="lead" data-seen>${say("Signed in as {name}. Signing out deletes keys here and withdraws their certificates; your documents stay sealed, and open again when you sign in.", { name: whom })}</p>
    <h2 id="apps">${say("Apps that you are signed in to")}</h2>
    ${apps.length === 0 ? `<p class="aside">${say("None.")}</p>` : appList(apps, ticket, say)}
    ${everywhere}`,
    { by: "some", language },
  );
}

function appList(apps: string[], ticket: string, say: Say): string {
  const items = apps.map((origin) => {
    const host = escaped(new URL(origin).host);
    const unseen = `<span class="unseen">${say(" of {host}", { host })}</span>`;
    const form = heldForm(
      { action: "/account", hidden: { ticket, app: origin }, ends: origin },
      `<button class="quiet" disabled aria-describedby="wait">${say("Sign out{unseen}", { unseen })}</button>`,
    );
    return `<li><a href="${escaped(origin)}/">${host}</a>
      ${form}</li>`;
  });
  return `<ul class="apps" aria-labelledby="apps">
      ${items.join("\n      ")}
    </ul>`;
}
