import { expect, it } from "vitest";
import type { RequestItem } from "#protocol/kmip/index.ts";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { fail, ok, type Result } from "../result.ts";
import { asResident, forgetResident, keepResident, mostResident } from "./resident-keys.ts";
import { MIGRATIONS } from "./schema.ts";
import { shred } from "./shred.ts";

const NOW = 4_000_000_000;
const LATER = NOW + 3600;
const version = (id: string) => ({ id, version: 1 });

/** An account, and an HSM that has objects by name until they are destroyed, and may be away. */
function setup(most = 100) {
  const sql: SqlStorage = sqlStorage(MIGRATIONS);
  const objects = new Set<string>();
  const alarms: number[] = [];
  const away = { now: false };
  const storage = {
    sql,
    getAlarm: async () => null,
    setAlarm: async (at: number) => void alarms.push(at),
  } as unknown as DurableObjectStorage;
  const batch = async (items: RequestItem[]) => {
    if (away.now) throw new Error("the HSM is away");
    return items.map(({ operation, payload }) => {
      const { attributes, uniqueIdentifier } = payload as {
        attributes?: { name: { nameValue: string }[] };
        uniqueIdentifier?: string;
      };
      if (operation === "Destroy") objects.delete(uniqueIdentifier ?? "");
      const found = [...objects].filter((name) => name === attributes?.name[0]?.nameValue);
      return { operation, resultStatus: "Success", payload: { uniqueIdentifier: found } };
    });
  };
  const store = { sql, transaction: <T>(closure: () => T) => closure() };
  /** Made at the HSM; what happens then is what the test says. */
  const make = (ids: string[], then: () => Result<null>, now = NOW) =>
    asResident<Result<null>>(
      store,
      { keys: ids.map(version), most },
      now,
      async () => {
        for (const id of ids) objects.add(`resident/${id}.1`);
        return then();
      },
      (refusal) => (refusal.ok ? fail("internal") : refusal),
    );
  const keep = (...ids: string[]) =>
    make(ids, () => {
      keepResident(sql, ids.map(version));
      return ok(null);
    });
  const end = (id: string, ends: number) =>
    sql.exec("INSERT INTO key_management (id, version, ends) VALUES (?, 1, ?)", id, ends);
  const forget = (now = NOW) => forgetResident(storage, { batch } as never, now);
  const rows = () => sql.exec("SELECT id FROM resident_keys").toArray().length;
  return { sql, objects, alarms, away, make, keep, end, forget, rows };
}

it("M19 a deletion that is due destroys the key that lives in the HSM, and no other", async () => {
  const { objects, alarms, keep, end, forget } = setup();
  await keep("a", "b", "c");
  end("a", NOW - 1);
  end("b", NOW + 5000);
  await forget();
  expect([...objects]).toEqual(["resident/b.1", "resident/c.1"]);
  // It wakes again for the next one.
  expect(alarms).toContain((NOW + 5000) * 1000);
});

it("M19 W11 shredding destroys each key that lives in the HSM, when that is back", async () => {
  const { sql, objects, alarms, away, keep, forget, rows } = setup();
  await keep("a", "b");
  shred(sql, NOW);
  away.now = true;
  await expect(forget()).rejects.toThrow("away");
  expect([objects.size, rows(), alarms.length]).toEqual([2, 2, 1]);
  away.now = false;
  await forget();
  expect([objects.size, rows()]).toEqual([0, 0]);
  await forget();
});

it("M19 what was made and then refused is destroyed, and what was cut off too when it is time", async () => {
  const { sql, objects, make, keep, forget, rows } = setup();
  await keep("kept");
  await make(["refused"], () => fail("forbidden"));
  const broken = () => {
    throw new Error("no signature");
  };
  await expect(make(["unsigned"], broken)).rejects.toThrow("no signature");
  // Made while the account was shredded.
  await make(["late"], () => {
    shred(sql, NOW);
    return fail("forbidden");
  });
  await forget();
  // The HSM may still be at it.
  expect([...objects]).toEqual(["resident/unsigned.1"]);
  await forget(LATER);
  expect([objects.size, rows()]).toEqual([0, 0]);
});

it("M19 what was given up while it was made is given to nobody", async () => {
  const { objects, make, sql, forget } = setup();
  const late = async () => {
    await forget(LATER);
    keepResident(sql, [version("a")]);
    return ok(null);
  };
  await expect(make(["a"], late as never)).rejects.toThrow("given up");
  expect(objects.size).toBe(0);
});

it("M19 a version that failed is made again once the HSM has destroyed what there was of it", async () => {
  const { objects, keep, make, forget } = setup();
  await make(["a"], () => fail("forbidden"));
  expect(await keep("a")).toMatchObject({ problem: { code: "too-many-requests" } });
  await forget();
  expect(await keep("a")).toMatchObject({ ok: true });
  expect([...objects]).toEqual(["resident/a.1"]);
});

it("M19 an account has so many keys in the HSM, with those that it has still to destroy", async () => {
  const { away, objects, keep, make, end, forget } = setup(3);
  await keep("a", "b");
  await make(["refused"], () => fail("forbidden"));
  expect(await keep("d")).toMatchObject({ problem: { code: "quota-exceeded" } });
  await forget();
  expect(await keep("d")).toMatchObject({ ok: true });
  end("a", NOW);
  away.now = true;
  await forget().catch(() => undefined);
  expect(await keep("e")).toMatchObject({ problem: { code: "quota-exceeded" } });
  away.now = false;
  await forget();
  expect(await keep("e")).toMatchObject({ ok: true });
  expect(objects.size).toBe(3);
});

it("refuses a bound that is mistyped", () => {
  expect(mostResident()).toBe(10_000);
  expect(mostResident("12")).toBe(12);
  expect(() => mostResident("many")).toThrow("COFFER_RESIDENT_KEYS_PER_ACCOUNT");
});
