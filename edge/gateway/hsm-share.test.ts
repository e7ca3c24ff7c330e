import { expect, it } from "vitest";
import { Shares } from "./hsm-share.ts";

/** How many of `wanted` may begin. */
const begun = (shares: Shares, tenant: string, wanted: number, most: number) =>
  Array.from({ length: wanted }, () => shares.begin(tenant, most)).filter(Boolean).length;

it("a tenant that asks alone has all, and gives way to half of it when another asks", () => {
  const shares = new Shares();
  expect(begun(shares, "acme", 20, 10)).toBe(10);
  expect(begun(shares, "umbrella", 20, 10)).toBe(5);
  // What is under way stays; nothing more begins until it is within the share.
  for (let ended = 0; ended < 5; ended++) {
    expect(shares.begin("acme", 10)).toBe(false);
    shares.end("acme");
  }
  expect(shares.begin("acme", 10)).toBe(false);
  shares.end("acme");
  expect(begun(shares, "acme", 5, 10)).toBe(1);
});

it("a tenant takes more than its share as long as there is room left for all", () => {
  const shares = new Shares();
  expect(begun(shares, "acme", 6, 10)).toBe(6);
  expect(begun(shares, "umbrella", 1, 10)).toBe(1);
  // Seven of ten: acme has more than half, and nobody wants the rest.
  expect(begun(shares, "acme", 9, 10)).toBe(3);
  // All is taken: who has less than its share begins all the same, who has more does not.
  expect(begun(shares, "acme", 1, 10)).toBe(0);
  expect(begun(shares, "umbrella", 9, 10)).toBe(4);
  for (let ended = 0; ended < 9; ended++) shares.end("acme");
  expect(begun(shares, "umbrella", 9, 10)).toBe(5);
});

it("who has nothing under way may always begin, however many ask, and what has ended counts no more", () => {
  const shares = new Shares();
  for (let tenant = 0; tenant < 50; tenant++) expect(begun(shares, `t${tenant}`, 3, 4)).toBeGreaterThan(0);
  const again = new Shares();
  for (let turn = 0; turn < 1000; turn++) {
    expect(again.begin("acme", 1)).toBe(true);
    again.end("acme");
  }
  expect(begun(again, "umbrella", 5, 3)).toBe(3);
});
