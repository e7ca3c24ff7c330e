import { expect, it } from "vitest";
import { canonicalEntry } from "./entry.ts";

it("writes entries in one way", () => {
  const row = {
    requestId: "q",
    outbox: 3,
    action: "a",
    time: "t",
    outcome: "deny",
    resource: "r",
    user: undefined,
  } as const;
  expect(canonicalEntry(9, { source: "kms", epoch: "e" }, row as never)).toBe(
    '{"action":"a","epoch":"e","outbox":3,"outcome":"deny","requestId":"q","resource":"r","sequence":9,"source":"kms","time":"t"}',
  );
});
