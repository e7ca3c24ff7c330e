/** The store in IndexedDB of the microservice's own origin. Non-extractable keys are stored as handles. */
import { type DBSchema, openDB } from "idb";
import { encodeBase64url } from "#protocol/base64url.ts";
import { equalConstantTime } from "#protocol/bytes.ts";
import {
  type LoadedKeyRecord,
  lineOf,
  MAX_LOADED_KEYS,
  MAX_MESSAGES,
  MESSAGE_LIFE,
  type MessageName,
  type MessageRecord,
  STORE_VERSION,
  type Store,
  type StoredInstance,
  type VersionBucket,
  type VersionsName,
} from "./store.ts";

const NAME = "coffer-microservice";
/** 1: instances and keys; 2: trust; 3: messages and their tags; 5: version indexes by bucket (4: in one record each). */
const VERSION = 5;
/** Where the head of an index stands, before its buckets. */
const HEAD = -1;

type Schema = DBSchema & {
  instances: { key: [string, string]; value: StoredInstance };
  keys: { key: [string, string]; value: LoadedKeyRecord; indexes: { age: [string, number] } };
  trust: { key: string; value: number };
  messages: { key: [string, string, string]; value: MessageRecord };
  /** By message id, and the first frame that they are of. */
  tags: { key: [string, number]; value: Uint8Array<ArrayBuffer> };
  versions: {
    key: [string, string, string, number];
    value: VersionsName & VersionBucket & { bucket: number; sequence: number; founded: boolean };
  };
};

/** Opens the database, making it on first use. */
export async function openStore(): Promise<Store> {
  const database = await openDB<Schema>(NAME, VERSION, {
    upgrade(opened, before) {
      if (before < 1) {
        opened.createObjectStore("instances", { keyPath: ["origin", "custodian"] });
        const keys = opened.createObjectStore("keys", { keyPath: ["instance", "edkDigest"] });
        keys.createIndex("age", ["instance", "loaded"]);
      }
      if (before < 2) opened.createObjectStore("trust");
      if (before < 3) {
        opened.createObjectStore("messages", { keyPath: ["origin", "custodian", "context"] });
        opened.createObjectStore("tags");
      }
      // What an earlier release kept is read again.
      if (before === 4) opened.deleteObjectStore("versions");
      if (before < 5)
        opened.createObjectStore("versions", { keyPath: ["origin", "custodian", "account", "bucket"] });
    },
    // A newer release of the microservice must be able to upgrade while an older one is still open in another tab.
    blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
  });
  /** All keys that begin with this text. */
  const all = (first: string) => IDBKeyRange.bound([first], [first, []]);

  const ofIndex = ({ origin, custodian, account }: VersionsName) =>
    IDBKeyRange.bound([origin, custodian, account], [origin, custodian, account, []]);

  const ofCustodian = (origin: string, custodian: string) =>
    IDBKeyRange.bound([origin, custodian], [origin, custodian, []]);

  /** Deletes these instances, and the keys of all that are not there. */
  async function remove(ended: (record: StoredInstance) => boolean): Promise<void> {
    const change = database.transaction(["instances", "keys", "versions"], "readwrite", {
      durability: "strict",
    });
    const [instances, keys] = [change.objectStore("instances"), change.objectStore("keys")];
    const left = new Set<string>();
    for (const record of await instances.getAll()) {
      if (!ended(record)) left.add(lineOf(record));
      else {
        const { origin, custodian } = record;
        await instances.delete([origin, custodian]);
        await change.objectStore("versions").delete(ofCustodian(origin, custodian));
      }
    }
    let key = await keys.openKeyCursor();
    while (key) {
      const [instance] = key.primaryKey;
      if (!left.has(instance)) await keys.delete(key.primaryKey);
      key = await key.continue();
    }
    await change.done;
  }

  const keyOf = ({ origin, custodian, context }: MessageName): [string, string, string] => [
    origin,
    custodian,
    context,
  ];
  const written = () => database.transaction(["messages", "tags"], "readwrite", { durability: "strict" });

  /** Deletes these messages and their tags; of as many as are left beyond the limit, the oldest. */
  async function removeMessages(ended: (record: MessageRecord) => boolean): Promise<void> {
    const change = written();
    const [messages, tags] = [change.objectStore("messages"), change.objectStore("tags")];
    const records = (await messages.getAll()).sort((a, b) => b.begun - a.begun);
    for (const [place, record] of records.entries()) {
      if (place < MAX_MESSAGES && !ended(record)) continue;
      await messages.delete(keyOf(record));
      await tags.delete(all(encodeBase64url(record.messageId)));
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
      if (earlier && lineOf(earlier) !== lineOf(record))
        await change.objectStore("keys").delete(all(lineOf(earlier)));
      await change.objectStore("instances").put(record);
      await change.done;
    },
    async keepAppKey({ origin, custodian, id }, appKey) {
      const change = database.transaction("instances", "readwrite", { durability: "strict" });
      const record = await change.store.get([origin, custodian]);
      if (record?.id === id) await change.store.put({ ...record, appKey });
      await change.done;
    },
    async deleteInstances(origin) {
      await remove((record) => record.origin === origin);
      await removeMessages((record) => record.origin === origin);
    },
    async deleteEnded({ live, now }) {
      const over = (session: string | undefined) => live !== undefined && session !== live;
      await remove(({ session, notAfter }) => notAfter <= now || over(session));
      await removeMessages(({ session, begun }) => begun <= now - MESSAGE_LIFE || over(session));
    },
    async loadedKey(instance, edkDigest) {
      const record = await database.get("keys", [instance, edkDigest]);
      return record?.version === STORE_VERSION ? record : undefined;
    },
    async putLoadedKeys(records) {
      const [first] = records;
      const change = database.transaction(["instances", "keys"], "readwrite");
      const keys = change.objectStore("keys");
      const instances = await change.objectStore("instances").getAll();
      // Ended in another tab meanwhile: what is deleted stays deleted.
      if (!first || !instances.some((kept) => lineOf(kept) === first.instance)) return change.done;
      for (const record of records) await keys.put(record);
      let excess = (await keys.count(all(first.instance))) - MAX_LOADED_KEYS;
      let oldest = await keys.index("age").openCursor(all(first.instance));
      for (; excess > 0 && oldest; excess--) {
        await oldest.delete();
        oldest = await oldest.continue();
      }
      await change.done;
    },
    async deleteLoadedKey(instance, edkDigest) {
      await database.delete("keys", [instance, edkDigest]);
    },
    async versions(of) {
      const [head, ...buckets] = await database.getAll("versions", ofIndex(of));
      // Without its head it was never whole.
      if (head?.bucket !== HEAD) return undefined;
      return { ...head, buckets: new Map(buckets.map((each) => [each.bucket, each])) };
    },
    async keepVersions({ since, buckets, ...of }) {
      const change = database.transaction(["instances", "versions"], "readwrite");
      const { origin, custodian, account, sequence } = of;
      const versions = change.objectStore("versions");
      const kept = (await versions.get([origin, custodian, account, HEAD]))?.sequence ?? 0;
      // Ended in another tab meanwhile: what is deleted stays deleted.
      const lives = await change.objectStore("instances").getKey([origin, custodian]);
      const fits = kept >= since;
      if (lives && fits && kept <= sequence) {
        if (since === 0) await versions.delete(ofIndex(of));
        const head = { hash: "", rows: new Map() };
        for (const [bucket, { hash, rows }] of [[HEAD, head] as const, ...buckets])
          await versions.put({ ...of, bucket, hash, rows });
      }
      await change.done;
      return fits;
    },
    deleteVersions: (of) => database.delete("versions", ofIndex(of)),
    trustSerial: async (root) => (await database.get("trust", root)) ?? 0,
    async keepTrustSerial(root, serial) {
      const change = database.transaction("trust", "readwrite", { durability: "strict" });
      if (((await change.store.get(root)) ?? 0) < serial) await change.store.put(serial, root);
      await change.done;
    },
    async keepMessage(record) {
      const change = written();
      const messages = change.objectStore("messages");
      const kept = await messages.get(keyOf(record));
      if (!kept) await messages.put(record);
      await change.done;
      if (!kept) await removeMessages(() => false);
      return kept ?? record;
    },
    async settle(name, messageId, first, tags) {
      const change = written();
      const id = encodeBase64url(messageId);
      const kept = await change.objectStore("messages").get(keyOf(name));
      const there = await change.objectStore("tags").get([id, first]);
      // Dropped, or begun anew by somebody else, it ends here.
      const current = kept !== undefined && equalConstantTime(kept.messageId, messageId);
      if (current && !there) await change.objectStore("tags").put(tags, [id, first]);
      await change.done;
      return current && (!there || equalConstantTime(there, tags));
    },
    messages: ({ origin, custodian }) => database.getAll("messages", ofCustodian(origin, custodian)),
    async deleteMessage(name) {
      const change = written();
      const kept = await change.objectStore("messages").get(keyOf(name));
      if (kept) {
        await change.objectStore("messages").delete(keyOf(name));
        await change.objectStore("tags").delete(all(encodeBase64url(kept.messageId)));
      }
      await change.done;
    },
  };
}
