import { beforeEach, expect, it, vi } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { HANDOVER_TABLE, openHandover, type Source } from "./handover.ts";

const ROWS = ["a", "b", "c", "d", "e"];
let sql: SqlStorage;
let alarms: number;
let earlier: { rows: string[]; asked: (string | null)[] };
let source: Source<string>;

beforeEach(() => {
  vi.spyOn(console, "warn").mockImplementation(() => {});
  sql = sqlStorage([HANDOVER_TABLE, "CREATE TABLE things (name TEXT PRIMARY KEY) STRICT"]);
  alarms = 0;
  earlier = { rows: [...ROWS], asked: [] };
  source = {
    async page(after) {
      earlier.asked.push(after);
      const from = earlier.rows.filter((row) => after === null || row > after);
      const rows = from.slice(0, 2);
      return { rows, next: from.length > 2 ? rows.at(-1)! : null };
    },
    async forget() {
      earlier.rows.pop();
      return earlier.rows.length === 0;
    },
  };
});

const storage = {
  getAlarm: async () => null,
  setAlarm: async () => void alarms++,
} as Pick<DurableObjectStorage, "getAlarm" | "setAlarm"> as DurableObjectStorage;

/** The object, as it is after each eviction. `cut` may end it in the middle of a page's transaction. */
function opened({ cut }: { cut?: (name: string) => void } = {}) {
  const transaction = <T>(closure: () => T): T => {
    sql.exec("SAVEPOINT page");
    try {
      return closure();
    } catch (error) {
      sql.exec("ROLLBACK TO page");
      throw error;
    } finally {
      sql.exec("RELEASE page");
    }
  };
  const insert = (into: SqlStorage, name: string) => {
    cut?.(name);
    into.exec("INSERT INTO things VALUES (?)", name);
  };
  return openHandover(storage, { sql, transaction }, { source, insert });
}

const things = () => sql.exec<{ name: string }>("SELECT name FROM things ORDER BY name").toArray();
const names = () => things().map(({ name }) => name);

it("takes all in pages, once, however many ask at the same time", async () => {
  const handover = opened();
  await Promise.all([handover.take(), handover.take(), handover.take()]);
  await opened().take();
  expect(names()).toEqual(ROWS);
  expect(earlier.asked).toEqual([null, "b", "d"]);
});

it("goes on where it was cut off, and has nothing lost or twice", async () => {
  for (const at of ["a", "b", "d", "e"]) {
    let cuts = 0;
    const cut = (name: string) => {
      if (name === at && cuts++ === 0) throw new Error("killed");
    };
    await opened({ cut })
      .take()
      .catch(() => {});
  }
  expect(names()).not.toEqual(ROWS);
  await expect(opened().take()).resolves.toBeUndefined();
  expect(names()).toEqual(ROWS);
});

it("throws while the earlier object is away, and is there at the next try", async () => {
  const { page } = source;
  source.page = async () => {
    throw new Error("away");
  };
  const handover = opened();
  await expect(handover.take()).rejects.toThrow("away");
  source.page = page;
  await handover.take();
  expect(names()).toEqual(ROWS);
});

it("has the earlier object forget it when all is here and not before, from an alarm that was set beforehand", async () => {
  const { page } = source;
  source.page = async (after) => {
    if (after === "d") throw new Error("away");
    return page(after);
  };
  await opened()
    .take()
    .catch(() => {});
  expect(alarms).toBeGreaterThan(0);
  expect(await opened().settle()).toBe(false);
  expect(earlier.rows).toEqual(ROWS);
  source.page = page;
  expect(await opened().settle()).toBe(true);
  expect(earlier.rows).toEqual([]);
  expect(names()).toEqual(ROWS);
  const { asked } = earlier;
  earlier.asked = [];
  await opened().settle();
  await opened().take();
  expect([asked.length > 0, earlier.asked]).toEqual([true, []]);
});

it("asks once where there was nothing, and has nothing forgotten", async () => {
  earlier.rows = [];
  source.forget = async () => {
    throw new Error("not to be asked");
  };
  await opened().take();
  await opened().take();
  await opened().settle();
  expect(earlier.asked).toEqual([null]);
  expect(console.warn).not.toHaveBeenCalled();
});
