/** The vault's account page: who is signed in in this browser, in which apps, and the ways out. */
import type { Account } from "../../iam/index.ts";
import { escaped, heldForm, html, message, waiting } from "./html.ts";

/** `provider` is its address, where signing out everywhere is signing out there too. */
type Shown = Account & { provider: string | null };

export function accountPage(account: Shown | null, mistake?: string): string {
  if (account === null) {
    const text =
      "Nobody is signed in at this vault in this browser, and it keeps no keys here. Open an app to sign in.";
    return html("Signed out", message("You are signed out", text), "none");
  }
  const { name, apps, ticket, provider } = account;
  const everywhere = heldForm(
    { action: "/account", hidden: { ticket, ...(provider !== null && { provider }) }, ends: "*" },
    `${mistake === undefined ? "" : `<p class="mistake" role="alert">${escaped(mistake)}</p>`}
      <button disabled aria-describedby="wait">Sign out everywhere</button>
      ${waiting}`,
  );
  return html(
    "Your vault",
    `<h1>Your vault in this browser</h1>
    <p class="lead" data-seen>Signed in as <strong><bdi>${escaped(name)}</bdi></strong>. Signing out deletes keys here and withdraws their certificates; your documents stay sealed, and open again when you sign in.</p>
    <h2 id="apps">Apps that you are signed in to</h2>
    ${apps.length === 0 ? `<p class="aside">None.</p>` : appList(apps, ticket)}
    ${everywhere}`,
    "some",
  );
}

function appList(apps: string[], ticket: string): string {
  const items = apps.map((origin) => {
    const host = escaped(new URL(origin).host);
    const form = heldForm(
      { action: "/account", hidden: { ticket, app: origin }, ends: origin },
      `<button class="quiet" disabled aria-describedby="wait">Sign out<span class="unseen"> of ${host}</span></button>`,
    );
    return `<li><a href="${escaped(origin)}/">${host}</a>
      ${form}</li>`;
  });
  return `<ul class="apps" aria-labelledby="apps">
      ${items.join("\n      ")}
    </ul>`;
}
