import { expect, it } from "vitest";
import { endOf, KeyRing, type LoadedKey } from "./ring.ts";

const START = 1_800_000_000;

/** Ends in seconds after `START`. */
function key({ receipt = 86_400, edk }: { receipt?: number; edk?: number } = {}): LoadedKey {
  return {
    receipt: { exp: START + receipt },
    edk: edk === undefined ? {} : { expires: START + edk },
  } as LoadedKey;
}

function setup(capacity?: number) {
  let now = START * 1000;
  const timers: { task: () => void; at: number }[] = [];
  const ring = new KeyRing<LoadedKey>({
    timeToLive: 60_000,
    ...(capacity === undefined ? {} : { capacity }),
    now: () => now,
    schedule: (task, delay) => timers.push({ task, at: now + delay }),
  });
  const pass = (seconds: number) => {
    now += seconds * 1000;
    for (const timer of timers.filter(({ at }) => at <= now)) {
      timers.splice(timers.indexOf(timer), 1);
      timer.task();
    }
  };
  const late = (seconds: number) => {
    now += seconds * 1000;
  };
  return { ring, pass, late, timers };
}

it.each([
  ["receipt", key({ receipt: 30 })],
  ["EDK", key({ edk: 30 })],
])("deletes a key when its %s ends, however often it is used", (_, short) => {
  const { ring, pass } = setup();
  ring.put("long", key());
  ring.put("short", short, endOf(short));
  pass(29);
  expect(ring.take("short")).toBe(short);
  pass(1);
  expect(ring.size).toBe(1);
  expect(ring.take("short")).toBeUndefined();
  expect(ring.take("long")).toBeDefined();
});

it("does not give a key past its end when the timer is late", () => {
  const { ring, late } = setup();
  const short = key({ receipt: 30 });
  ring.put("short", short, endOf(short));
  late(30);
  expect(ring.take("short")).toBeUndefined();
  expect(ring.size).toBe(0);
});

it("W7 deletes a key a set time after its last use, and leaves no timer behind", () => {
  const { ring, pass, timers } = setup();
  ring.put("a", key());
  pass(40);
  ring.take("a");
  pass(40);
  expect(ring.size).toBe(1);
  pass(20);
  expect(ring.size).toBe(0);
  expect(timers).toEqual([]);
});

it("holds so many and no more: the one unused for longest goes", () => {
  const { ring } = setup(2);
  for (const name of ["a", "b"]) ring.put(name, key());
  ring.take("a");
  ring.put("c", key());
  expect(ring.size).toBe(2);
  expect(["a", "b", "c"].filter((name) => ring.take(name))).toEqual(["a", "c"]);
});

it("tells what it holds and for how long still, and looking keeps no key", () => {
  const { ring, pass, late } = setup();
  ring.put("a", key());
  const short = key({ receipt: 30 });
  ring.put("b", short, endOf(short));
  pass(10);
  const left = () => ring.held().map((one) => [one.name, one.left]);
  expect(left()).toEqual([
    ["a", 50_000],
    ["b", 20_000],
  ]);
  pass(15);
  expect(left()).toEqual([
    ["a", 35_000],
    ["b", 5000],
  ]);
  // Though the timer is late.
  late(36);
  expect(left()).toEqual([]);
});
