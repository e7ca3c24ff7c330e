/** What is in the element's shadow root, each by the name of its CSS part. */

import type { Document } from "#web/browser/index.ts";

export const STYLE = `
  :host { display: block; font: inherit; }
  :host([hidden]), [hidden] { display: none; }
  ul { list-style: none; margin: 1em 0; padding: 0; }
  li { display: flex; gap: 1em; align-items: baseline; padding: 0.25em 0; }
  [part="name"] { flex: 1; overflow-wrap: anywhere; }
  [part="name"], [part="who"] { unicode-bidi: isolate; }
`;

/** Its controls and its list. */
export function part() {
  const button = (name: string, text: string) => labelled("button", name, text);
  const signIn = button("sign-in", "Sign in");
  const who = labelled("span", "who", "");
  const signOut = button("sign-out", "Sign out");
  const choose = button("choose", "Choose files…");
  const files = Object.assign(document.createElement("input"), {
    type: "file",
    multiple: true,
    hidden: true,
  });
  files.setAttribute("aria-label", "Files to seal");
  const progress = Object.assign(labelled("progress", "progress", ""), { max: 1 });
  const error = Object.assign(labelled("p", "error", ""), { role: "alert" });
  const empty = labelled("p", "empty", "Nothing sealed yet.");
  const list = Object.assign(labelled("ul", "list", ""), { role: "list" });
  list.setAttribute("aria-label", "Documents");
  for (const each of [signIn, signOut, choose, progress, error, empty]) each.hidden = true;
  const all = [signIn, who, signOut, choose, files, progress, error, empty, list];
  return { signIn, who, signOut, choose, files, progress, error, empty, list, all };
}

/** One document. */
export function row(
  { id, metadata, error }: Document,
  { open, remove }: { open: () => void; remove?: () => void },
): HTMLLIElement {
  const item = labelled("li", "document", "");
  item.dataset.document = id;
  const name = metadata?.name ?? (error ? "Cannot be opened" : "Reading its name…");
  item.append(labelled("span", "name", name));
  for (const [part, verb, act] of [
    ["open", "Open", open],
    ["delete", "Delete", remove],
  ] as const) {
    if (!act) continue;
    const button = labelled("button", part, verb);
    // A name that runs from right to left does not turn the verb (UAX #9, isolates).
    button.setAttribute("aria-label", `${verb} ${isolated(name)}`);
    button.disabled = part === "open" && !metadata;
    button.addEventListener("click", act);
    item.append(button);
  }
  return item;
}

function labelled<K extends keyof HTMLElementTagNameMap>(tag: K, part: string, text: string) {
  const element = document.createElement(tag);
  element.setAttribute("part", part);
  if (tag === "button") element.setAttribute("type", "button");
  element.textContent = text;
  return element;
}

/** Within a sentence. Names without such letters stay as they are, for whoever looks for them. */
function isolated(name: string): string {
  return /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u.test(name)
    ? `\u2068${name}\u2069`
    : name;
}
