import { describe, expect, it } from "vitest";
import { transientName } from "#protocol/hierarchy/index.ts";
import { KmipError, type RequestItem, type ResponseItem } from "#protocol/kmip/index.ts";
import { sqlStorage } from "#test/support/sql-storage.ts";
import type { Batches, Hsm } from "../client.ts";
import { type NextName, runBatch } from "./batch.ts";
import { LEDGER_TABLE, type Leftover, openLedger } from "./ledger.ts";

/** An HSM that knows objects by name, and does what a test tells it to an item. */
function fake(fault: (item: RequestItem, index: number) => "ok" | "fail" | "lost") {
  const objects = new Map<string, string>();
  let lost = false;
  const hsm = {
    async batch(items: RequestItem[]) {
      const answers = items.map((item, index): ResponseItem => {
        const outcome = fault(item, index);
        if (outcome === "lost") lost = true;
        if (outcome === "fail") {
          return {
            operation: item.operation,
            resultStatus: "OperationFailed",
            resultReason: "GeneralFailure",
          } as ResponseItem;
        }
        const payload = item.payload as {
          uniqueIdentifier?: string;
          attributes?: { name?: { nameValue: string }[] };
        };
        const name = payload.attributes?.name?.[0]?.nameValue;
        const found: string[] = [];
        if (item.operation === "Import") objects.set(payload.uniqueIdentifier!, name!);
        if (item.operation === "Destroy") objects.delete(payload.uniqueIdentifier!);
        if (item.operation === "Locate")
          for (const [id, value] of objects) if (value === name) found.push(id);
        return {
          operation: item.operation,
          resultStatus: "Success",
          payload: { uniqueIdentifier: found },
        } as unknown as ResponseItem;
      });
      if (lost) {
        lost = false;
        throw new Error("answer lost");
      }
      return answers;
    },
  };
  return { hsm: hsm as unknown as Hsm, objects };
}

/** The ledger of an object, and what stands in it. */
function ledger(hsm: Hsm) {
  const sql: SqlStorage = sqlStorage([LEDGER_TABLE]);
  const storage = { sql, getAlarm: async () => null, setAlarm: async () => {} };
  const ctx = { storage, waitUntil() {} } as unknown as DurableObjectState;
  const open = () => sql.exec<Leftover>("SELECT * FROM hsm_batches").toArray();
  const older = () => sql.exec("UPDATE hsm_batches SET started = started - 120000");
  return Object.assign(openLedger(ctx, hsm, "kms"), { open, older });
}

const build = (name: NextName): RequestItem[] => [
  {
    operation: "Import",
    payload: { uniqueIdentifier: "a", attributes: { name: name() } },
  } as unknown as RequestItem,
  { operation: "Get", payload: { uniqueIdentifier: "a" } } as RequestItem,
  { operation: "Destroy", payload: { uniqueIdentifier: "a" } } as RequestItem,
];

describe("batch at the HSM", () => {
  it("returns one answer an item and leaves nothing", async () => {
    const { hsm, objects } = fake(() => "ok");
    const book = ledger(hsm);
    expect(await runBatch(hsm, book, build)).toHaveLength(3);
    expect([objects.size, book.open().length]).toEqual([0, 0]);
  });

  it("is in the ledger when it goes out, however long it has waited for that", async () => {
    const { hsm } = fake(() => "ok");
    const book = ledger(hsm);
    let atHsm: number[] = [];
    const waiting: Batches = {
      async batch(items, options, began) {
        await Promise.resolve();
        // The alarm has cleared it meanwhile, as it does with what was cut off.
        for (const entry of book.open()) book.end(entry);
        began?.();
        atHsm = book.open().map(({ objects }) => objects);
        return hsm.batch(items, options);
      },
    };
    await runBatch(waiting, book, build);
    expect(atHsm).toEqual([1]);
    expect(book.open()).toHaveLength(0);
  });

  it("writes no more of what left nothing than that it began, until the alarm, which asks the HSM of what was cut off alone", async () => {
    let asked = 0;
    const { hsm, objects } = fake(({ operation }) => {
      if (operation === "Locate") asked++;
      return "ok";
    });
    const book = ledger(hsm);
    const together = { leavesNothing: true, batch: hsm.batch } as const;
    await runBatch(together, book, build);
    await runBatch(together, book, build);
    expect(book.open()).toHaveLength(2);
    book.begin({ id: "cut off", objects: 1 });
    objects.set("left", transientName("cut off", 0));
    book.older();
    await book.sweep();
    expect([asked, objects.size, book.open().length]).toEqual([2, 0, 0]);
    // Where it fails it is swept at once, as any other.
    const failing = fake((item) => (item.operation === "Get" ? "fail" : "ok"));
    await expect(runBatch({ leavesNothing: true, batch: failing.hsm.batch }, book, build)).rejects.toThrow(
      KmipError,
    );
    expect(book.open()).toHaveLength(0);
  });

  it("sweeps what a failed clean-up left, and reports the failure", async () => {
    let failed = false;
    const { hsm, objects } = fake((item) => {
      if (item.operation !== "Destroy" || failed) return "ok";
      failed = true;
      return "fail";
    });
    const book = ledger(hsm);
    await expect(runBatch(hsm, book, build)).rejects.toThrow(KmipError);
    expect([objects.size, book.open().length]).toEqual([0, 0]);
  });

  it("sweeps when the answer is lost", async () => {
    let first = true;
    const { hsm, objects } = fake((item) => {
      if (item.operation === "Destroy" && first) return "fail";
      if (item.operation !== "Get") return "ok";
      first = false;
      return "lost";
    });
    const book = ledger(hsm);
    await expect(runBatch(hsm, book, build)).rejects.toThrow("answer lost");
    expect([objects.size, book.open().length]).toEqual([0, 0]);
  });

  it("keeps the batch in the ledger for the alarm when sweeping fails too", async () => {
    const { hsm, objects } = fake((item) => (item.operation === "Destroy" ? "fail" : "ok"));
    const book = ledger(hsm);
    await expect(runBatch(hsm, book, build)).rejects.toThrow(KmipError);
    expect(objects.size).toBe(1);
    expect(book.open().map(({ objects: count }) => count)).toEqual([1]);
  });
});
