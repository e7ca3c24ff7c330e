import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { POLICY, policy } from "#protocol/hierarchy/index.ts";
import type { Attributes } from "#protocol/kmip/index.ts";
import { currentMasterKey, hasMasterKey, isStrict, requireWorkingMasterKey } from "./master-key.ts";

let found: string[];
/** Destroyed ones of the name, with what the HSM says of each. */
let destroyed: Record<string, Attributes>;
let asked: number;
const hsm = {
  request: async (operation: string, payload: { storageStatusMask?: unknown; uniqueIdentifier?: string }) => {
    asked++;
    if (operation === "GetAttributes") return { attributes: destroyed[payload.uniqueIdentifier ?? ""] };
    return { uniqueIdentifier: payload.storageStatusMask ? Object.keys(destroyed) : found };
  },
} as unknown as Parameters<typeof hasMasterKey>[0];
const has = async (tenant: string) => {
  const answer = await hasMasterKey(hsm, tenant);
  return answer.ok && answer.value;
};
const RECIPIENT = "r".repeat(43);
const vendorAttributes = [policy(POLICY.recovery, RECIPIENT)];

beforeEach(() => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
  asked = 0;
  found = ["key"];
  destroyed = {};
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
  expect(asked).toBe(6);
  found = ["key"];
  expect(await has("new")).toBe(true);
});

it("W1 takes a destroyed master key for the tenant's by the officer's word alone", async () => {
  found = [];
  destroyed = {
    silent: { state: "Destroyed" },
    compromised: { state: "DestroyedCompromised", vendorAttributes },
  };
  expect(await currentMasterKey(hsm, "strict-1")).toBeNull();
  expect(await isStrict(hsm, "strict-1")).toBe(false);
  destroyed.said = { state: "Destroyed", vendorAttributes };
  expect(await currentMasterKey(hsm, "strict-1")).toEqual({ key: "said", recovery: RECIPIENT });
  expect(await isStrict(hsm, "strict-1")).toBe(true);
  await expect(requireWorkingMasterKey(hsm, "strict-1")).rejects.toMatchObject({ code: "strict-tenant" });
  destroyed.again = { state: "Destroyed", vendorAttributes };
  expect(await currentMasterKey(hsm, "strict-2")).toBeNull();
  // One that works is the tenant's, whatever was destroyed before.
  found = ["key"];
  expect(await requireWorkingMasterKey(hsm, "strict-3")).toBe("key");
});
