/**
 * One small interface to a browser engine, and what a test does with it. Each engine is driven by the protocol that it
 * speaks itself: Chromium by playwright, Firefox by WebDriver BiDi, WebKit by WebDriver.
 */

import { setTimeout as delay } from "node:timers/promises";

export type Engine = {
  name: "Chromium" | "Firefox" | "WebKit";
  /** Whether the tests in it are skipped, because it is not installed; says so. */
  missing(): boolean;
  /** Starts it with a new profile and one window. */
  open(): Promise<Driver>;
};

export type Driver = {
  goto(url: string): Promise<void>;
  /** Runs the body of an async function in the page; its result comes as JSON. */
  run<T>(body: string): Promise<T>;
  /** Presses with the pointer in the middle of the element, as a person does. */
  press(selector: string): Promise<void>;
  /** Console errors, violated policies and uncaught errors of the page since the last `goto`, as far as the engine tells. */
  complaints(): Promise<string[]>;
  close(): Promise<void>;
};

const PATIENCE = 60_000;

/** Waits until an expression of the page is truthy, and answers it. Fails with what the page says instead. */
export async function until<T>(driver: Driver, expression: string): Promise<T> {
  const end = Date.now() + PATIENCE;
  for (;;) {
    // A page that is being left answers nothing.
    const value = await driver.run<T>(`return ${expression}`).catch(() => undefined);
    if (value) return value;
    if (Date.now() > end) {
      const shown = await driver.run<string>("return location.href + ' ' + document.body.innerText");
      throw new Error(`the page never came to ${expression}: ${shown}`);
    }
    await delay(100);
  }
}

/** A condition on an element that is there and can be seen. */
export function visible(selector: string): string {
  return `document.querySelector(${JSON.stringify(selector)})?.checkVisibility()`;
}

/** Presses what can be seen, once it can be. */
export async function pressWhenVisible(driver: Driver, selector: string): Promise<void> {
  await until(driver, visible(selector));
  await driver.press(selector);
}

/** Puts a file into a file input, as if a person had chosen it. */
export async function chooseFile(
  driver: Driver,
  selector: string,
  file: { name: string; type: string; bytes: Uint8Array },
): Promise<void> {
  const { name, type } = file;
  const base64 = Buffer.from(file.bytes).toString("base64");
  await driver.run(`
    const bytes = Uint8Array.from(atob(${JSON.stringify(base64)}), (character) => character.charCodeAt(0));
    const chosen = new DataTransfer();
    chosen.items.add(new File([bytes], ${JSON.stringify(name)}, { type: ${JSON.stringify(type)} }));
    const input = document.querySelector(${JSON.stringify(selector)});
    input.files = chosen.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));`);
}
