import { beforeEach, expect, it } from "vitest";
import { encryptedMasterKeyName, instancesMasterKeyName, POLICY, policy } from "#protocol/hierarchy/index.ts";
import { KmipError } from "#protocol/kmip/index.ts";
import { sqlStorage } from "#test/support/sql-storage.ts";
import type { Context } from "./context.ts";
import { keptMasterNames, MASTER_NAMES, MASTERS_TABLE, removeEnded } from "./encrypted-master.ts";

const THUMBPRINT = "t".repeat(43);
const NAME = encryptedMasterKeyName("m-1", THUMBPRINT);
/** What the HSM says of the master key: whether the officer has said a recovery recipient, and whether it is there. */
let said: boolean;
let known: boolean;
/** Names that the HSM still has. */
let atHsm: Set<string>;
let sql: ReturnType<typeof sqlStorage>;
let tenant = 0;

type Item = {
  operation: string;
  payload: { attributes?: { name?: { nameValue: string }[] }; uniqueIdentifier?: string };
};
const named = ({ payload }: Item) => payload.attributes?.name?.[0]?.nameValue ?? "";
const hsm = {
  async request(operation: string, { uniqueIdentifier }: { uniqueIdentifier?: string }) {
    expect([operation, uniqueIdentifier]).toEqual(["GetAttributes", "m-1"]);
    if (!known) throw new KmipError("ObjectNotFound", undefined, "GetAttributes");
    return { attributes: { vendorAttributes: said ? [policy(POLICY.recovery, THUMBPRINT)] : [] } };
  },
  async batch(items: Item[]) {
    return items.map((item) => {
      const { operation, payload } = item;
      if (operation === "Destroy") atHsm.delete(payload.uniqueIdentifier ?? "");
      const uniqueIdentifier = operation === "Locate" && atHsm.has(named(item)) ? [named(item)] : [];
      return { operation, resultStatus: "Success", payload: { uniqueIdentifier } };
    });
  },
};

beforeEach(() => {
  said = false;
  known = true;
  atHsm = new Set([NAME, instancesMasterKeyName("old")]);
  sql = sqlStorage([MASTERS_TABLE, MASTER_NAMES]);
  const insert = "INSERT INTO encrypted_masters VALUES (?, ?, ?, ?, ?)";
  sql.exec(insert, ...["i-1", "h-1", "m-1", 100, NAME]);
  sql.exec(insert, ...["old", "h-2", "m-1", 100, null]);
  tenant++;
});

const remove = (now: number) => {
  const storage = { sql, getAlarm: async () => 1, setAlarm: async () => undefined };
  const kms = { store: { sql, tenant: `t-${tenant}` }, hsm };
  return removeEnded(storage as unknown as DurableObjectStorage, kms as unknown as Context, now);
};
const rows = () =>
  (sql.exec("SELECT count(*) AS rows FROM encrypted_masters") as { one(): { rows: number } }).one().rows;

it("W8 Enc(master) goes from the HSM when the instance's certificates have ended, and no sooner", async () => {
  await remove(99);
  expect(atHsm.size).toBe(2);
  await remove(100);
  expect([...atHsm]).toEqual([]);
  expect(rows()).toBe(0);
});

it("W8 stays where another instance has the same wrapping key", async () => {
  sql.exec("INSERT INTO encrypted_masters VALUES (?, ?, ?, ?, ?)", ...["i-2", "h-1", "m-1", 200, NAME]);
  await remove(100);
  expect([...atHsm]).toEqual([NAME]);
  await remove(200);
  expect([...atHsm]).toEqual([]);
});

it.each([
  ["of a master key that has a recovery recipient", () => (said = true)],
  ["where the HSM does not know the master key", () => (known = false)],
])("W1 stays in the HSM, which could not make it again, %s", async (_, so) => {
  so();
  await remove(100);
  expect(atHsm.size).toBe(2);
  expect(rows()).toBe(0);
});

it("names what a ledger's entry was to keep, of an earlier release too", () => {
  expect(keptMasterNames({ id: NAME })).toEqual([NAME]);
  expect(keptMasterNames({ id: "i-1" })).toEqual([instancesMasterKeyName("i-1")]);
});
