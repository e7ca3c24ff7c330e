/** A row of a list in the administration's panel: what it is, what there is to say of it, and one button. */

/** `name` is the button's for those who do not see where it stands. */
export type RowButton = { label: string; name: string; run: () => Promise<void> };

export function administrationRow(what: string, about: string, button?: RowButton): HTMLElement {
  const item = document.createElement("li");
  const words = document.createElement("div");
  words.className = "about";
  const title = document.createElement("code");
  title.textContent = what;
  const meta = document.createElement("span");
  meta.className = "meta";
  meta.textContent = about;
  words.append(title, meta);
  item.append(words);
  if (button) item.append(pressed(button));
  return item;
}

function pressed({ label, name, run }: RowButton): HTMLElement {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  button.textContent = label;
  button.setAttribute("aria-label", name);
  button.addEventListener("click", () => void run());
  return button;
}
