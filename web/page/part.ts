/** Custom elements of the page: content from a `<template>`, parts found by data attribute. No markup from strings. */

/** An element that fills itself from the template of its own name, once. */
export class TemplateElement extends HTMLElement {
  connectedCallback(): void {
    if (this.firstElementChild) return;
    const template = document.getElementById(this.localName);
    if (!(template instanceof HTMLTemplateElement)) throw new Error(`no template ${this.localName}`);
    this.append(template.content.cloneNode(true));
    // By keyboard too, whatever is in it; not every browser sees to that.
    for (const each of this.querySelectorAll<HTMLElement>("[data-scrolls]")) each.tabIndex = 0;
    this.ready();
  }

  /** Called once, when the content is there. */
  protected ready(): void {}
}

/** The first element under `root` for a selector; its absence is a mistake in the page. */
export function element<E extends HTMLElement = HTMLElement>(root: ParentNode, selector: string): E {
  const found = root.querySelector<E>(selector);
  if (!found) throw new Error(`no ${selector}`);
  return found;
}

/** The element marked `data-<name>` under `root`. */
export function part<E extends HTMLElement = HTMLElement>(root: ParentNode, name: string): E {
  return element<E>(root, `[data-${name}]`);
}

/** Calls `act` when the part is pressed. */
export function onPress(root: ParentNode, name: string, act: () => void): void {
  for (const element of root.querySelectorAll(`[data-${name}]`)) element.addEventListener("click", act);
}

/** An element with a text in it. */
export function textIn(tag: string, text: string): HTMLElement {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}
