import { expect, it } from "vitest";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { type Edk, JwsError } from "#protocol/keys/index.ts";
import type { RequestItem } from "#protocol/kmip/index.ts";
import { sqlStorage } from "#test/support/sql-storage.ts";
import type { Store } from "../store.ts";
import { beginVersion, findVersion, keepVersion, nameOf, type Row } from "./account-data-keys.ts";
import { fetchDataKeys, markDataKey, StoredKeyRefused } from "./encrypted-data.ts";
import { MIGRATIONS } from "./schema.ts";

/** An HSM that keeps wrapped keys by identifier and counts its requests. */
function setup() {
  const sql: SqlStorage = sqlStorage(MIGRATIONS);
  const kept = new Map<string, Uint8Array>();
  const asked = { requests: 0 };
  const batch = async (items: RequestItem[]) => {
    asked.requests++;
    return items.map(({ operation, payload }) => {
      const { uniqueIdentifier } = payload as { uniqueIdentifier: string };
      const bytes = kept.get(uniqueIdentifier);
      if (!bytes) return { operation, resultStatus: "OperationFailed", resultReason: "ObjectNotFound" };
      const keyBlock = { keyValue: { keyMaterial: bytes }, keyWrappingData: {} };
      const attributes = { state: "PreActive", lastChangeDate: new Date(1000) };
      const answer =
        operation === "Get" ? { object: { symmetricKey: { keyBlock } } } : { uniqueIdentifier, attributes };
      return { operation, resultStatus: "Success", payload: answer };
    });
  };
  const header = { alg: "ES256", typ: "t", kid: "k".repeat(43) };
  const part = (value: object) => encodeBase64url(utf8(JSON.stringify(value)));
  const token = `${part(header)}.${part({})}.${encodeBase64url(new Uint8Array(64).fill(1))}`;
  const make = (client = "page"): Row => {
    const row = beginVersion(sql, client);
    const wrapped = new Uint8Array(40).fill(row.version);
    kept.set(row.hsm, wrapped);
    const edk = {
      account: "a",
      keyId: row.id,
      keyVersion: row.version,
      wrappedKey: encodeBase64url(wrapped),
    } as Edk;
    expect(keepVersion(sql, row, { edk, token, made: null })).toBe(true);
    return findVersion(sql, client, row)!;
  };
  const trust = {
    verifyEdk: async (token: string) => {
      const edk = payloadOf(token);
      if (edk.purpose === "altered") throw new JwsError("invalid-signature", "altered");
      return edk;
    },
  };
  const kms = { store: { sql } as Store, hsm: { batch } as never, trust };
  return { kms, kept, asked, make };
}

const payloadOf = (edk: string) => JSON.parse(Buffer.from(edk.split(".")[1]!, "base64url").toString());

it("W8 fetches the newest versions with the one that is asked for, by one request, and no other app's", async () => {
  const { kms, asked, make } = setup();
  const [first, second, third] = [make(), make(), make()];
  make("other");
  const found = await fetchDataKeys(kms, "a", first);
  expect(asked.requests).toBe(1);
  expect([...found.keys()].toSorted()).toEqual([first, second, third].map(nameOf).toSorted());
  const { value } = found.get(nameOf(second))!;
  expect(payloadOf(value)).toMatchObject({
    keyVersion: 2,
    wrappedKey: encodeBase64url(new Uint8Array(40).fill(2)),
  });
});

it("W10 finds nothing of what is gone at the HSM, and what is there beside it", async () => {
  const { kms, kept, make } = setup();
  const [first, second] = [make(), make()];
  kept.delete(first.hsm);
  const found = await fetchDataKeys(kms, "a", first);
  expect([...found.keys()]).toEqual([nameOf(second)]);
  expect(await markDataKey(kms, nameOf(first))).toBeNull();
  expect(await markDataKey(kms, nameOf(second))).toBe(found.get(nameOf(second))!.mark);
});

it.each([
  ["altered", "$.purpose", "altered"],
  ["another key's", "$.keyId", "another"],
  ["another version's", "$.keyVersion", 7],
  ["another account's", "$.account", "b"],
])(
  "W2 refuses what is stored of a key when it is %s, and fetches what is there beside it",
  async (_, path, value) => {
    const { kms, make } = setup();
    const [first, second] = [make(), make()];
    kms.store.sql.exec(
      "UPDATE account_data_keys SET edk = json_set(edk, ?, ?) WHERE version = 1",
      ...[path, value],
    );
    const row = (version: number) => findVersion(kms.store.sql, "page", { id: first.id, version })!;
    await expect(fetchDataKeys(kms, "a", row(1))).rejects.toThrow(StoredKeyRefused);
    expect([...(await fetchDataKeys(kms, "a", row(2))).keys()]).toEqual([nameOf(second)]);
  },
);
