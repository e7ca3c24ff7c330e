import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { Tickets } from "./tickets.ts";

const now = new Date();
const expires = new Date(now.getTime() + 1000);

/** Issues tickets, and says which of them are still good. */
function issuer() {
  const tickets = new Tickets();
  const issue = (identity: string, at = now) =>
    tickets.issue(
      { identity, expires: new Date(expires.getTime() + at.getTime() - now.getTime()) },
      at,
      random,
    );
  const isGood = (value: Uint8Array) => {
    try {
      return tickets.redeem(value, "channel", now).identity !== "";
    } catch {
      return false;
    }
  };
  return { issue, isGood };
}
const random = (length: number) => new Uint8Array(randomBytes(length));
const times = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, i) => make(i));

describe("tickets are bounded", () => {
  it("for each identity: its oldest goes, and nobody else's", () => {
    const { issue, isGood } = issuer();
    const other = issue("bob");
    const own = times(2000, () => issue("alice"));
    expect(own.map(isGood)).toEqual(times(2000, (i) => i >= 2000 - 64));
    expect(isGood(other)).toBe(true);
    expect(isGood(issue("carol"))).toBe(true);
  });

  it("over all: the oldest of the identity with most goes", () => {
    const { issue, isGood } = issuer();
    const few = issue("few");
    const most = times(64, () => issue("most"));
    const others = times(1024 - 65, (i) => issue(`other${i % 30}`));
    const next = times(10, (i) => issue(`new${i}`));
    expect(most.map(isGood)).toEqual(times(64, (i) => i >= 10));
    expect([few, ...others, ...next].every(isGood)).toBe(true);
  });

  it("over all, where each has one: there is room for newcomers", () => {
    const { issue, isGood } = issuer();
    const all = times(1025, (i) => issue(`client${i}`));
    expect(all.map(isGood)).toEqual(times(1025, (i) => i > 0));
  });

  it("without those that have expired", () => {
    const { issue, isGood } = issuer();
    const old = times(64, () => issue("alice", new Date(now.getTime() - 500)));
    const later = new Date(now.getTime() + 600);
    const next = times(40, () => issue("alice", later));
    expect(old.some(isGood)).toBe(false);
    expect(next.every(isGood)).toBe(true);
  });
});
