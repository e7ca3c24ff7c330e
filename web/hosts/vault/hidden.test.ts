import { expect, it } from "vitest";
import { HIDDEN, lockWhenHidden } from "./hidden.ts";

function setup() {
  let listener = () => {};
  const timers: (() => void)[] = [];
  const page = {
    visibilityState: "visible" as DocumentVisibilityState,
    addEventListener: (_: string, told: () => void) => {
      listener = told;
    },
  };
  let locks = 0;
  const later = (task: () => void, milliseconds: number) => {
    expect(milliseconds).toBe(HIDDEN);
    timers.push(task);
  };
  lockWhenHidden(page as unknown as Document, () => locks++, later);
  return {
    show(visibilityState: DocumentVisibilityState) {
      page.visibilityState = visibilityState;
      listener();
    },
    ring: () => timers.shift()?.(),
    locks: () => locks,
  };
}

it("W7 locks once the page has been hidden for its time", () => {
  const { show, ring, locks } = setup();
  show("hidden");
  expect(locks()).toBe(0);
  ring();
  expect(locks()).toBe(1);
});

it("does not lock a page that was looked at in between", () => {
  const { show, ring, locks } = setup();
  show("hidden");
  show("visible");
  ring();
  expect(locks()).toBe(0);
  show("hidden");
  show("visible");
  show("hidden");
  ring();
  expect(locks()).toBe(0);
  ring();
  expect(locks()).toBe(1);
});
