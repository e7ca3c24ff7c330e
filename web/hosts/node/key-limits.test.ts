/** How many keys are counted at a time; what the limits do is in test/hosts/key-limits.test.ts. */

import { expect, it } from "vitest";
import { codeOf } from "#protocol/error.ts";
import type { PortHandler } from "#protocol/port/index.ts";
import { withKeyLimits } from "./key-limits.ts";

const HOUR = 3_600_000;

/** An EDK as far as limits read it. */
const edkOf = (keyId: string) =>
  ["e30", Buffer.from(JSON.stringify({ keyId, keyVersion: 1 })).toString("base64url"), "c2ln"].join(".");

it("M15 is busy for one more key than it can count, forgets none that is counted, and has room when the first is over", async () => {
  let time = 0;
  const handler = { mac: async () => ({ mac: "" }), entrust: async () => ({}) } as unknown as PortHandler;
  const limited = withKeyLimits(handler, { messages: 2 }, { capacity: 2, now: () => time });
  const mac = (key: string) => limited.mac({ key: edkOf(key), data: "AA" }).then(() => "done", codeOf);
  expect([await mac("a"), await mac("b"), await mac("c")]).toEqual(["done", "done", "busy"]);
  // The count of those that are known goes on.
  expect([await mac("a"), await mac("a")]).toEqual(["done", "key-missing"]);
  time = 8 * HOUR - 1;
  expect(await mac("c")).toBe("busy");
  time = 8 * HOUR;
  expect(await mac("c")).toBe("done");
});
