import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { keepChoice } from "./choices.ts";
import { Lock } from "./lock.ts";

const MINUTE = 60_000;
let listeners: Map<string, () => void>;
let posted: unknown[];
let hear: (data: unknown) => void;

beforeEach(() => {
  vi.useFakeTimers();
  listeners = new Map();
  posted = [];
  const listen = (name: string, listener: () => void) => void listeners.set(name, listener);
  vi.stubGlobal("addEventListener", listen);
  vi.stubGlobal("document", { addEventListener: listen });
  vi.stubGlobal(
    "BroadcastChannel",
    class {
      addEventListener(_: string, listener: (event: { data: unknown }) => void) {
        hear = (data) => listener({ data });
      }
      postMessage(data: { word: string }) {
        posted.push(data.word);
      }
    },
  );
  for (const name of ["coffer-locked", "coffer-lock-after"]) keepChoice(name, undefined);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function opened() {
  const said: string[] = [];
  const host = { open: true, busy: false };
  const lock = new Lock({
    open: () => host.open,
    busy: () => host.busy,
    leave: () => {
      host.open = false;
      said.push("leave");
    },
    unlock: () => said.push("unlock"),
  });
  return { lock, host, said };
}

it("locks when nobody has used it for the time that was chosen, and never before one was", () => {
  const { lock, said } = opened();
  vi.advanceTimersByTime(600 * MINUTE);
  expect(said).toEqual([]);
  listeners.get("keydown")!();
  lock.after = 5;
  expect(lock.after).toBe(5);
  vi.advanceTimersByTime(4 * MINUTE);
  listeners.get("keydown")!();
  vi.advanceTimersByTime(4.5 * MINUTE);
  // In another tab.
  hear({ word: "used" });
  vi.advanceTimersByTime(4.5 * MINUTE);
  expect(said).toEqual([]);
  vi.advanceTimersByTime(MINUTE);
  expect(said).toEqual(["leave"]);
  expect(posted.at(-1)).toBe("lock");
  // What comes is locked.
  expect(opened().lock.locked).toBe(true);
});

it("locks a device that has slept before anything else is done in it, and none in which something goes on", () => {
  const { lock, host, said } = opened();
  lock.after = 15;
  vi.setSystemTime(Date.now() + 20 * MINUTE);
  host.busy = true;
  listeners.get("focus")!();
  expect(said).toEqual([]);
  expect(posted.at(-1)).toBe("used");
  vi.setSystemTime(Date.now() + 20 * MINUTE);
  host.busy = false;
  listeners.get("pointermove")!();
  expect(said).toEqual(["leave"]);
});

it("locks and unlocks with the other tabs, and takes their choice of a time", () => {
  const { lock, said } = opened();
  hear({ word: "after", minutes: 60 });
  expect(lock.after).toBe(60);
  hear({ word: "unlock" });
  expect(said).toEqual([]);
  hear({ word: "lock" });
  expect(said).toEqual(["leave"]);
  keepChoice("coffer-locked", "yes");
  const after = opened();
  expect(after.lock.locked).toBe(true);
  hear({ word: "unlock" });
  expect(after.said).toEqual(["unlock"]);
  expect(after.lock.locked).toBe(false);
  // No other time than those that are offered.
  keepChoice("coffer-lock-after", "1");
  expect(after.lock.after).toBe(0);
});
