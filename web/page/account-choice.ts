/** In which account something is done, where the user has more than one. */

import type { Account } from "#web/browser/index.ts";
import { shownName } from "./names.ts";

/** What is wanted stays so while it is there; else it is the first. Answers which. */
export function offerAccounts(
  label: HTMLElement,
  select: HTMLSelectElement,
  accounts: readonly Account[],
  wanted: string = select.value,
): string {
  const chosen = (accounts.find(({ id }) => id === wanted) ?? accounts[0])?.id ?? "";
  select.replaceChildren(...accounts.map(({ id, name }) => new Option(shownName(name), id)));
  select.value = chosen;
  label.hidden = accounts.length < 2;
  return chosen;
}
