/** In which account something is done, where the user has more than one. */

import type { Account } from "#web/browser/index.ts";

/** What was chosen stays so while it is there; else it is the first. */
export function offerAccounts(
  label: HTMLElement,
  select: HTMLSelectElement,
  accounts: readonly Account[],
): void {
  const chosen = accounts.find(({ id }) => id === select.value) ?? accounts[0];
  select.replaceChildren(...accounts.map(({ id, name }) => new Option(name, id)));
  select.value = chosen?.id ?? "";
  label.hidden = accounts.length < 2;
}
