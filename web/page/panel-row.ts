/** A row of a list in a panel: what it is, what there is to say of it, and its buttons. */

import { t } from "./words.ts";

/** `name` is the button's for those who do not see where it stands. */
export type RowButton = { label: string; name: string; run: () => Promise<void> };

export function panelRow(what: string, about: string, ...buttons: RowButton[]): HTMLElement {
  const item = document.createElement("li");
  const words = document.createElement("div");
  words.className = "about";
  const title = document.createElement("code");
  title.textContent = what;
  const meta = document.createElement("span");
  meta.className = "meta";
  meta.textContent = about;
  words.append(title, meta);
  item.append(words, ...buttons.map(rowButton));
  return item;
}

/** Adds a page to a list, whose button is away with the last one. `say`: where that button was pressed for it. */
export function addPage(
  list: HTMLElement,
  button: HTMLElement,
  {
    items,
    more,
    say,
  }: { items: readonly HTMLElement[]; more: boolean; say: ((words: string) => void) | undefined },
): void {
  const focused = document.activeElement === button;
  list.append(...items);
  button.hidden = !more;
  if (!say) return;
  const count = items.length;
  say(count === 1 ? t("1 more is shown.") : t("{count} more are shown.", { count }));
  if (focused && !more) list.focus();
}

export function rowButton({ label, name, run }: RowButton): HTMLElement {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  button.textContent = label;
  button.setAttribute("aria-label", name);
  button.addEventListener("click", () => void run());
  return button;
}
