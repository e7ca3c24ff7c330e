import { expect, it, vi } from "vitest";
import type { Document } from "#web/browser/index.ts";
import { beginsWith, found } from "./order.ts";

const document = (name: string, folder?: string): Document => ({
  ...{ id: name, account: "a", created: new Date(0), sealedSize: 1 },
  metadata: { name, type: "text/plain", size: 1, ...(folder !== undefined && { folder }) },
});
const documents = ["apple.txt", "Ärger.txt", "plan 1.txt", "plan 2.txt"].map((name) => document(name));

it("goes to the next name that begins so, around, whichever case and composition", () => {
  expect(beginsWith(documents, "p", 0)).toBe(2);
  expect(beginsWith(documents, "PLAN", 3)).toBe(3);
  expect(beginsWith(documents, "a", 1)).toBe(0);
  expect(beginsWith(documents, "A\u0308", 0)).toBe(1);
  expect(beginsWith(documents, "z", 0)).toBeUndefined();
  expect(beginsWith([], "z", 0)).toBeUndefined();
  // By its own name, and not by that of its folder.
  expect(beginsWith([document("b.txt", "plans")], "p", 0)).toBeUndefined();
  expect(found([document("b.txt", "plans")], "plan b")).toHaveLength(1);
});

it("makes of each name once what it is compared by", () => {
  const many = Array.from({ length: 100 }, (_, at) => document(`name ${at}`));
  beginsWith(many, "n", 0);
  found(many, "name 99");
  const normalized = vi.spyOn(String.prototype, "normalize");
  try {
    for (const typed of ["name 9", "name 99"]) beginsWith(many, typed, 0);
    found(many, "name 98");
    expect(normalized.mock.calls.length).toBeLessThan(5);
  } finally {
    normalized.mockRestore();
  }
});
