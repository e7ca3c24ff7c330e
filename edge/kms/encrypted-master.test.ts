import { beforeEach, expect, it } from "vitest";
import { encryptedMasterKeyName, instancesMasterKeyName, POLICY, policy } from "#protocol/hierarchy/index.ts";
import { KmipError } from "#protocol/kmip/index.ts";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { APP_KEYS_TABLE } from "./app-key.ts";
import type { Context } from "./context.ts";
import {
  fetchMaster,
  keptEntry,
  MASTER_NAMES,
  MASTERS_CEK_COLUMN,
  MASTERS_TABLE,
  removeEnded,
  removeKept,
} from "./encrypted-master.ts";

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
  sql = sqlStorage([MASTERS_TABLE, MASTER_NAMES, APP_KEYS_TABLE]);
  const insert = "INSERT INTO encrypted_masters (instance, hsm, master, until, name) VALUES (?, ?, ?, ?, ?)";
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
  sql.exec(
    "INSERT INTO encrypted_masters (instance, hsm, master, until, name) VALUES (?, ?, ?, ?, ?)",
    ...["i-2", "h-1", "m-1", 200, NAME],
  );
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

const removeEntry = (id: string) => removeKept(hsm as unknown as Context["hsm"], { id });

it("W8 clears of what was cut off the object that it chose, and none by a name that others share", async () => {
  atHsm = new Set([NAME, "h-1", "h-2", instancesMasterKeyName("i-1")]);
  await removeEntry(keptEntry({ hsm: "h-1", master: "m-1" }).id);
  expect([...atHsm]).toEqual([NAME, "h-2", instancesMasterKeyName("i-1")]);
  // Of earlier releases: by a name, and by an instance.
  await removeEntry(NAME);
  await removeEntry("i-1");
  expect([...atHsm]).toEqual([NAME, "h-2"]);
  said = true;
  await removeEntry(keptEntry({ hsm: "h-2", master: "m-1" }).id);
  expect([...atHsm]).toEqual([NAME, "h-2"]);
});

it("W8 clears nothing that was cut off once it was found, and is used", async () => {
  const ended: string[] = [];
  const block = { keyWrappingData: { wrappingMethod: "Encrypt" }, keyValue: new Uint8Array(384) };
  const attributes = { objectType: "SymmetricKey", state: "Active", lastChangeDate: new Date(0) };
  const request = async (operation: string, payload: { attributes?: { name: { nameValue: string }[] } }) => {
    if (operation === "GetAttributes") return { attributes };
    if (operation === "Get")
      return { object: { publicKey: { keyBlock: { keyValue: { keyMaterial: new Uint8Array(422) } } } } };
    const kept = payload.attributes?.name[0]?.nameValue.startsWith("master/");
    return { uniqueIdentifier: [kept ? "h-9" : "m-1"] };
  };
  const batch = async (items: Item[]) =>
    items.map(({ operation }) => ({
      ...{ operation, resultStatus: "Success" },
      payload: operation === "Get" ? { object: { symmetricKey: { keyBlock: block } } } : { attributes },
    }));
  const kms = {
    store: {
      sql: sqlStorage([MASTERS_TABLE, MASTER_NAMES, MASTERS_CEK_COLUMN, APP_KEYS_TABLE]),
      tenant: `t-${tenant}`,
    },
    hsm: { request, batch },
    ledger: { end: ({ id }: { id: string }) => ended.push(id) },
  } as unknown as Context;
  const enrolled = { instance: "i-9", hsmKey: "k-9", notAfter: 100 } as Parameters<typeof fetchMaster>[1];
  expect((await fetchMaster(kms, enrolled)).value).toMatchObject({ keyId: "m-1" });
  expect(ended).toEqual([keptEntry({ hsm: "h-9", master: "m-1" }).id]);
});
