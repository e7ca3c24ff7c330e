import { expect, it } from "vitest";
import { type Step, telling } from "./steps.ts";

it("tells when a document is deleted and when it is brought back, each from its begin to its end", async () => {
  const steps: Step[] = [];
  const work = async (id: string) => {
    steps.push({ step: "server", what: id, at: 0, ms: 0, status: 204, timing: "" });
    if (id === "gone") throw new Error(id);
    return id;
  };
  const tell = telling((step) => void steps.push(step));
  const told = tell({ remove: work, restore: work, named: work });
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

it("tells of shares what is told of documents, and never of two operations by one id", async () => {
  const steps: Step[] = [];
  const tell = telling((step) => void steps.push(step));
  const work = async () => {};
  const documents = tell({ open: work });
  const shares = tell(
    { share: work, withdraw: work, decline: work, open: work, received: work },
    { open: "openReceived" },
  );
  await documents.open();
  for (const name of ["share", "withdraw", "decline", "open", "received"] as const) await shares[name]();
  const begun = steps.flatMap((each) => (each.step === "begin" ? [`${each.id} ${each.operation}`] : []));
  expect(begun).toEqual(["1 open", "2 share", "3 withdraw", "4 decline", "5 openReceived"]);
  expect(steps.filter(({ step }) => step === "end")).toHaveLength(5);
});
