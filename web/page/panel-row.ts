<<<<<<< HEAD:web/page/panel-row.ts
/** A row of a list in a panel: what it is, what there is to say of it, and its buttons. */
=======
/** A row of a list in the administration's panel: what it is, what there is to say of it, and what can be done with it. */
>>>>>>> 5336ff15 (Show the versions of a document on the page: look, save, go back, delete one, save another):web/page/administration-row.ts

/** `name` is the button's for those who do not see where it stands. */
export type RowButton = { label: string; name: string; run: () => Promise<void> };

<<<<<<< HEAD:web/page/panel-row.ts
export function panelRow(what: string, about: string, ...buttons: RowButton[]): HTMLElement {
=======
export function administrationRow(what: string, about: string, ...buttons: RowButton[]): HTMLElement {
>>>>>>> 5336ff15 (Show the versions of a document on the page: look, save, go back, delete one, save another):web/page/administration-row.ts
  const item = document.createElement("li");
  const words = document.createElement("div");
  words.className = "about";
  const title = document.createElement("code");
  title.textContent = what;
  const meta = document.createElement("span");
  meta.className = "meta";
  meta.textContent = about;
  words.append(title, meta);
<<<<<<< HEAD:web/page/panel-row.ts
  item.append(words, ...buttons.map(rowButton));
=======
  item.append(words);
  const [only, ...others] = buttons.map(pressed);
  if (only && others.length === 0) item.append(only);
  if (others.length > 0) {
    const actions = document.createElement("div");
    actions.className = "actions";
    actions.append(...(only ? [only] : []), ...others);
    item.append(actions);
  }
>>>>>>> 5336ff15 (Show the versions of a document on the page: look, save, go back, delete one, save another):web/page/administration-row.ts
  return item;
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
