import { expect, it } from "vitest";
import { type Attention, HOLD, Hold, LOOK } from "./hold.ts";

const reading: Attention = { visible: true, focused: true, width: 800, height: 600, seen: true };

/** Looks at the page as often as it does itself; answers the last state. */
function watch(hold: Hold, from: number, to: number, attention: Partial<Attention> = {}): string {
  let state = "";
  for (let now = from; now <= to; now += LOOK) state = hold.look({ ...reading, ...attention }, now);
  return state;
}

it("frees the buttons once a person has had the page before them for a second", () => {
  const hold = new Hold();
  expect(watch(hold, 0, HOLD - LOOK)).toBe("held");
  expect(hold.look(reading, HOLD)).toBe("free");
  expect(watch(hold, HOLD, 60_000)).toBe("free");
});

it.each([
  ["another window has the focus", { focused: false }, "unfocused"],
  ["the tab is hidden", { visible: false }, "unfocused"],
  ["the window is one pixel wide", { width: 1 }, "small"],
  ["the window is one pixel high", { height: 1 }, "small"],
  ["the window has no size", { width: 0, height: 0 }, "small"],
  ["what is asked has not been in view", { seen: false }, "held"],
])("holds them while %s, however long, and for a second afterwards", (_, attention, state) => {
  const hold = new Hold();
  expect(watch(hold, 0, 60_000, attention)).toBe(state);
  expect(watch(hold, 60_050, 60_950)).toBe("held");
  expect(watch(hold, 61_000, 61_050)).toBe("free");
  expect(hold.look({ ...reading, ...attention }, 61_100)).not.toBe("free");
  expect(watch(hold, 61_150, 62_100)).toBe("held");
});

it("begins again with every press before that: a key held down or a finger that taps never gets there", () => {
  const hold = new Hold();
  for (let now = 0; now < 30_000; now += LOOK) {
    expect(hold.look(reading, now)).toBe("held");
    if (now % 300 === 0) hold.press();
  }
  hold.press();
  expect(watch(hold, 30_000, 30_950)).toBe("held");
  expect(hold.look(reading, 31_000)).toBe("free");
  hold.press();
  expect(hold.look(reading, 31_050)).toBe("free");
});

it("begins again when nobody could look, and when the page is shown again", () => {
  const hold = new Hold();
  watch(hold, 0, 900);
  expect(hold.look(reading, 3_600_000)).toBe("held");
  expect(watch(hold, 3_600_000, 3_601_000)).toBe("free");
  hold.restart();
  expect(hold.look(reading, 3_601_050)).toBe("held");
});
