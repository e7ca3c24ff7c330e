/** The store in IndexedDB of the microservice's own origin. Non-extractable keys are stored as handles. */
import { type DBSchema, openDB } from "idb";
import {
  type InstanceRecord,
  type LoadedKeyRecord,
  MAX_LOADED_KEYS,
  STORE_VERSION,
  type Store,
} from "./store.ts";

const NAME = "coffer-microservice";

type Schema = DBSchema & {
  instances: { key: [string, string]; value: InstanceRecord };
  keys: { key: [string, string]; value: LoadedKeyRecord; indexes: { age: [string, number] } };
  trust: { key: string; value: number };
};

/** Opens the database, making it on first use. */
export async function openStore(): Promise<Store> {
  const database = await openDB<Schema>(NAME, STORE_VERSION, {
    upgrade(opened, before) {
      if (before < 1) {
        opened.createObjectStore("instances", { keyPath: ["origin", "custodian"] });
        const keys = opened.createObjectStore("keys", { keyPath: ["instance", "edkDigest"] });
        keys.createIndex("age", ["instance", "loaded"]);
      }
      if (before < 2) opened.createObjectStore("trust");
    },
    // A newer release of the microservice must be able to upgrade while an older one is still open in another tab.
    blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
  });
  /** All keys that begin with this text. */
  const all = (first: string) => IDBKeyRange.bound([first], [first, []]);

  /** Deletes these instances, and the keys of all that are not there. */
  async function remove(ended: (record: InstanceRecord) => boolean): Promise<void> {
    const change = database.transaction(["instances", "keys"], "readwrite", { durability: "strict" });
    const [instances, keys] = [change.objectStore("instances"), change.objectStore("keys")];
    const left = new Set<string>();
    for (const record of await instances.getAll()) {
      if (ended(record)) await instances.delete([record.origin, record.custodian]);
      else left.add(record.id);
    }
    let key = await keys.openKeyCursor();
    while (key) {
      const [instance] = key.primaryKey;
      if (!left.has(instance)) await keys.delete(key.primaryKey);
      key = await key.continue();
    }
    await change.done;
  }

  return {
    async instance(origin, custodian) {
      const record = await database.get("instances", [origin, custodian]);
      return record?.version === STORE_VERSION ? record : undefined;
    },
    async replaceInstance(record) {
      const change = database.transaction(["instances", "keys"], "readwrite", { durability: "strict" });
      const earlier = await change.objectStore("instances").get([record.origin, record.custodian]);
      if (earlier) await change.objectStore("keys").delete(all(earlier.id));
      await change.objectStore("instances").put(record);
      await change.done;
    },
    deleteInstances: (origin) => remove((record) => record.origin === origin),
    deleteEnded: ({ live, now }) =>
      remove(({ session, notAfter }) => notAfter <= now || (live !== undefined && session !== live)),
    async loadedKey(instance, edkDigest) {
      const record = await database.get("keys", [instance, edkDigest]);
      return record?.version === STORE_VERSION ? record : undefined;
    },
    async putLoadedKey(record) {
      const change = database.transaction(["instances", "keys"], "readwrite");
      const keys = change.objectStore("keys");
      const instances = await change.objectStore("instances").getAll();
      // Ended in another tab meanwhile: what is deleted stays deleted.
      if (!instances.some(({ id }) => id === record.instance)) return change.done;
      await keys.put(record);
      let excess = (await keys.count(all(record.instance))) - MAX_LOADED_KEYS;
      let oldest = await keys.index("age").openCursor(all(record.instance));
      for (; excess > 0 && oldest; excess--) {
        await oldest.delete();
        oldest = await oldest.continue();
      }
      await change.done;
    },
    async deleteLoadedKey(instance, edkDigest) {
      await database.delete("keys", [instance, edkDigest]);
    },
    trustSerial: async (root) => (await database.get("trust", root)) ?? 0,
    async keepTrustSerial(root, serial) {
      const change = database.transaction("trust", "readwrite", { durability: "strict" });
      if (((await change.store.get(root)) ?? 0) < serial) await change.store.put(serial, root);
      await change.done;
    },
  };
}
