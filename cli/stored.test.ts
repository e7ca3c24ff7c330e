import { expect, it, vi } from "vitest";
import { storedCode } from "./stored.ts";

it("a document that is stored and in no index ends the command with 1, and a sentence that says what enters it", () => {
  const told: string[] = [];
  const write = vi.spyOn(process.stderr, "write").mockImplementation((text) => told.push(String(text)) > 0);
  try {
    expect(storedCode({ id: "one" })).toBe(0);
    expect(told).toEqual([]);
    expect(storedCode({ id: "two", state: "unfinished" })).toBe(1);
    expect(told.join("")).toContain("finish two` enters it");
  } finally {
    write.mockRestore();
  }
});
