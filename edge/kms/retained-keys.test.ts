import { expect, it } from "vitest";
import type { AccountEdk } from "#protocol/keys/index.ts";
import type { RequestItem } from "#protocol/kmip/index.ts";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { nameOf } from "./account-data-keys.ts";
import {
  forgetRetained,
  giveRetainedUp,
  keepRetained,
  retainedAfter,
  retainedNamed,
  useRequest,
} from "./retained-keys.ts";
import { MIGRATIONS } from "./schema.ts";
import { shred } from "./shred.ts";

const NOW = 4_000_000_000;

/** Keys that are retained, and an HSM that has their objects by name until they are destroyed. */
function setup() {
  const sql: SqlStorage = sqlStorage(MIGRATIONS);
  const objects = new Set<string>();
  const alarms: number[] = [];
  const storage = {
    sql,
    getAlarm: async () => null,
    setAlarm: async (at: number) => void alarms.push(at),
  } as unknown as DurableObjectStorage;
  const batch = async (items: RequestItem[]) =>
    items.map(({ operation, payload }) => {
      const { attributes, uniqueIdentifier } = payload as {
        attributes?: { name: { nameValue: string }[] };
        uniqueIdentifier?: string;
      };
      if (operation === "Destroy") objects.delete(uniqueIdentifier ?? "");
      const found = [...objects].filter((name) => name === attributes?.name[0]?.nameValue);
      return { operation, resultStatus: "Success", payload: { uniqueIdentifier: found } };
    });
  const make = (id: string, state: "making" | "kept", made = NOW) => {
    sql.exec("INSERT INTO retained_keys VALUES (?, 1, 'page', 'making', ?, 'e.e.e', ?)", id, id, made);
    if (state === "kept") keepRetained(sql, [{ keyId: id, keyVersion: 1 } as AccountEdk]);
    objects.add(`data/${id}.1`);
  };
  const end = (id: string, ends: number) =>
    sql.exec("INSERT INTO key_management (id, version, ends) VALUES (?, 1, ?)", id, ends);
  return { sql, storage, hsm: { batch } as never, objects, alarms, make, end };
}

const FIRST = { id: "", version: 0 };

it("M11 a deletion that is due takes the key out of the HSM, and no other", async () => {
  const { sql, storage, hsm, objects, alarms, make, end } = setup();
  for (const id of ["a", "b", "c"]) make(id, "kept");
  end("a", NOW - 1);
  end("b", NOW + 5000);
  await forgetRetained(storage, hsm, NOW);
  expect([...objects]).toEqual(["data/b.1", "data/c.1"]);
  expect(retainedAfter(sql, "page", FIRST, 9).map(nameOf)).toEqual(["b.1", "c.1"]);
  expect(retainedNamed(sql, "page", [{ id: "a", version: 1 }])).toMatchObject({ ok: false });
  // It wakes again for the next one.
  expect(alarms).toContain((NOW + 5000) * 1000);
});

it("M11 what was cut off while it was made is given to nobody, and goes from the HSM", async () => {
  const { sql, storage, hsm, objects, make } = setup();
  make("old", "making", NOW - 3600);
  make("new", "making", NOW - 1);
  make("kept", "kept", NOW - 3600);
  expect(retainedAfter(sql, "page", FIRST, 9).map(nameOf)).toEqual(["kept.1"]);
  await forgetRetained(storage, hsm, NOW);
  expect([...objects].toSorted()).toEqual(["data/kept.1", "data/new.1"]);
});

it("M11 W11 a key that was being made when its account was shredded goes from the HSM too, once it is there", async () => {
  const { sql, storage, hsm, objects, make } = setup();
  make("kept", "kept");
  make("refused", "making");
  make("unheard", "making");
  // The HSM has not heard of these yet: a sweep finds nothing.
  for (const id of ["refused", "unheard"]) objects.delete(`data/${id}.1`);
  shred(sql, NOW);
  await forgetRetained(storage, hsm, NOW);
  for (const id of ["refused", "unheard"]) objects.add(`data/${id}.1`);
  giveRetainedUp(sql, [{ id: "refused", version: 1 }]);
  await forgetRetained(storage, hsm, NOW);
  expect([...objects]).toEqual(["data/unheard.1"]);
  await forgetRetained(storage, hsm, NOW + 3600);
  expect([objects.size, sql.exec("SELECT 1 FROM retained_keys").toArray().length]).toEqual([0, 0]);
});

it("M11 what was given up while it was made is given to nobody", async () => {
  const { sql, storage, hsm, make } = setup();
  make("old", "making", NOW - 3600);
  await forgetRetained(storage, hsm, NOW);
  expect(() => keepRetained(sql, [{ keyId: "old", keyVersion: 1 } as AccountEdk])).toThrow("given up");
});

it("M13 no other app finds a retained key", () => {
  const { sql, make } = setup();
  make("a", "kept");
  expect(retainedAfter(sql, "other", FIRST, 9)).toHaveLength(0);
  expect(retainedNamed(sql, "other", [{ id: "a", version: 1 }])).toMatchObject({ ok: false });
});

it("M11 M20 so many requests of one user a minute are taken, each once; what comes again or is one too many uses nothing up", () => {
  const { sql } = setup();
  const use = (hash: string, user = "ann", now = NOW) =>
    useRequest(sql, { user, hash, expires: now + 60 }, now);
  for (let at = 0; at < 600; at++) expect(use(`${at}`).ok).toBe(true);
  expect(use("0")).toMatchObject({ problem: { code: "invalid-grant" } });
  expect(use("more")).toMatchObject({ problem: { code: "too-many-requests" }, bounded: true });
  expect(use("bob's", "bob").ok).toBe(true);
  expect(use("more", "ann", NOW + 1).ok).toBe(true);
});
