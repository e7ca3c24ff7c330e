import { describe, expect, it } from "vitest";
import { FLUSH_AFTER_MS, RETRY_AFTER_MS } from "../store.ts";
import { GATHERERS } from "./gathering.ts";
import { AGAIN_MS, delays } from "./times.ts";

/** The longest way of an entry to a signed root when nothing fails, but for what calls and the signature take. */
function longest(seconds: number): number {
  return ofDelays(delays({ COFFER_AUDIT_SECONDS: String(seconds), COFFER_AUDIT_LINKS: "1" }));
}

function ofDelays({ checkpoint, gatherer, root }: ReturnType<typeof delays>): number {
  return FLUSH_AFTER_MS + checkpoint + GATHERERS.length * gatherer + root;
}

describe("an entry", () => {
  it("is under a signed root within 60 seconds unless set otherwise", () => {
    expect(ofDelays(delays({} as Env))).toBe(longest(60));
    expect(longest(60)).toBeLessThanOrEqual(60_000);
  });

  it("is so even when its outbox, its chain or the log has to try once more", () => {
    for (const again of [RETRY_AFTER_MS, AGAIN_MS])
      expect(longest(60) + again).toBeLessThanOrEqual(60_000 - 1000);
  });

  it("is so by whatever bound is set", () => {
    for (const seconds of [5, 15, 30, 120, 3600])
      expect(longest(seconds), `${seconds}`).toBeLessThan(seconds * 1000);
  });
});

it("has the log called less than once a second, however many sources there are", () => {
  const everyMs = delays({} as Env).gatherer;
  expect((1000 * GATHERERS[1]) / everyMs).toBeLessThan(1);
});
