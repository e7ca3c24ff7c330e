import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { hasMasterKey } from "./master-key.ts";

let found: string[];
let asked: number;
const hsm = {
  request: async () => {
    asked++;
    return { uniqueIdentifier: found };
  },
} as unknown as Parameters<typeof hasMasterKey>[0];
const has = async (tenant: string) => {
  const answer = await hasMasterKey(hsm, tenant);
  return answer.ok && answer.value;
};

beforeEach(() => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
  asked = 0;
  found = ["key"];
});
afterEach(() => vi.useRealTimers());

it("M5 believes the HSM's yes for ten seconds, of each tenant apart", async () => {
  for (let i = 0; i < 3; i++) expect(await has("acme")).toBe(true);
  expect(asked).toBe(1);
  found = [];
  expect(await has("umbrella")).toBe(false);
  vi.advanceTimersByTime(10_000);
  expect(await has("acme")).toBe(false);
});

it("M5 asks again each time after a no, and after a failure", async () => {
  found = [];
  for (let i = 0; i < 3; i++) expect(await has("new")).toBe(false);
  expect(asked).toBe(3);
  found = ["key"];
  expect(await has("new")).toBe(true);
});
