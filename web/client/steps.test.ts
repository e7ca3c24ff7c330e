import { expect, it } from "vitest";
import { type Step, telling } from "./steps.ts";

it("tells when a document is deleted and when it is brought back, each from its begin to its end", async () => {
  const steps: Step[] = [];
  const work = async (id: string) => {
    steps.push({ step: "server", what: id, at: 0, ms: 0, status: 204, timing: "" });
    if (id === "gone") throw new Error(id);
    return id;
  };
  const told = telling({ remove: work, restore: work, named: work }, (step) => void steps.push(step));
  expect(await told.remove("one")).toBe("one");
  await expect(told.restore("gone")).rejects.toThrow("gone");
  expect(await told.named("two")).toBe("two");
  expect(steps).toMatchObject([
    { step: "begin", operation: "remove", id: 1 },
    { what: "one" },
    { step: "end", id: 1 },
    { step: "begin", operation: "restore", id: 2 },
    { what: "gone" },
    { step: "end", id: 2 },
    { what: "two" },
  ]);
});
