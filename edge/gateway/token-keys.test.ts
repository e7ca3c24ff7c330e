import { expect, it } from "vitest";
import type { TokenKey } from "../iam/types.ts";
import { fail, ok } from "../result.ts";
import { TokenKeys } from "./token-keys.ts";

const key = (kid: string): TokenKey => ({
  kty: "EC",
  crv: "P-256",
  x: "x",
  y: "y",
  kid,
  alg: "ES256",
  use: "sig",
});

/** An IAM that signs with `current`, and a clock that stands still. */
function setup() {
  const iam = { current: ["a"], asked: 0, delay: 0, away: false };
  const clock = {
    time: 0,
    now: () => clock.time,
    wait: () => Promise.resolve(),
  };
  const keys = new TokenKeys(clock);
  const ask = async () => {
    iam.asked++;
    for (let i = 0; i < iam.delay; i++) await Promise.resolve();
    return iam.away ? fail("hsm-unavailable") : ok(iam.current.map(key));
  };
  return { iam, clock, find: (kid: string) => keys.find(kid, ask) };
}

it("asks once, also for many requests at once, and again after a minute", async () => {
  const { iam, clock, find } = setup();
  iam.delay = 10;
  const found = await Promise.all(Array.from({ length: 50 }, () => find("a")));
  expect(found.every((one) => one?.kid === "a")).toBe(true);
  expect(iam.asked).toBe(1);
  clock.time += 59_000;
  await find("a");
  expect(iam.asked).toBe(1);
  clock.time += 2000;
  await find("a");
  expect(iam.asked).toBe(2);
});

it("knows a new key from its first token on, and forgets one that was taken back within a minute", async () => {
  const { iam, clock, find } = setup();
  await find("a");
  clock.time += 5000;
  iam.current = ["b"];
  expect(await find("b")).toMatchObject({ kid: "b" });
  expect(await find("a")).toBeUndefined();
});

it("asks no more than once a second for names that somebody made up", async () => {
  const { iam, clock, find } = setup();
  await find("a");
  for (let i = 0; i < 500; i++) {
    clock.time += 10;
    expect(await find(`made-up-${i}`)).toBeUndefined();
    expect(await find("a")).toMatchObject({ kid: "a" });
  }
  expect(iam.asked).toBeLessThanOrEqual(7);
});

it("says that the IAM cannot say, and asks again", async () => {
  const { iam, find } = setup();
  iam.away = true;
  await expect(find("a")).rejects.toMatchObject({ code: "hsm-unavailable" });
  iam.away = false;
  expect(await find("a")).toMatchObject({ kid: "a" });
});

it("does not wait for ever for a question whose request was cancelled", async () => {
  const clock = {
    time: 0,
    now: () => clock.time,
    wait(milliseconds: number) {
      clock.time += milliseconds;
      if (clock.time > 60_000) return Promise.reject(new Error("still waiting after a minute"));
      return new Promise<void>((next) => setImmediate(next));
    },
  };
  const keys = new TokenKeys(clock);
  void keys.find("a", () => new Promise(() => {}));
  await expect(keys.find("a", async () => ok([key("a")]))).resolves.toMatchObject({ kid: "a" });
});
