import { memoryMessages } from "./memory-messages.ts";
import { type KeptVersions, type LoadedKeyRecord, lineOf, type Store, type StoredInstance } from "./store.ts";

/** A microservice's store for the life of one process; `instances` and `keys` are what is in it, by name. */
export function memoryStore(): Store & {
  readonly instances: Map<string, StoredInstance>;
  readonly keys: Map<string, LoadedKeyRecord>;
} {
  const messages = memoryMessages();
  const instances = new Map<string, StoredInstance>();
  const keys = new Map<string, LoadedKeyRecord>();
  const versions = new Map<string, KeptVersions>();
  const serials = new Map<string, number>();
  const keyOf = (origin: string, custodian: string) => `${origin} ${custodian}`;
  const keyName = (instance: string, edkDigest: string) => `${instance} ${edkDigest}`;

  function deleteKeys(record: StoredInstance): void {
    for (const name of keys.keys()) if (name.startsWith(`${lineOf(record)} `)) keys.delete(name);
  }

  function remove(ended: (record: StoredInstance) => boolean): void {
    for (const [name, record] of instances) {
      if (!ended(record)) continue;
      instances.delete(name);
      deleteKeys(record);
      for (const kept of versions.keys()) if (kept.startsWith(`${name} `)) versions.delete(kept);
    }
  }

  return {
    instances,
    keys,
    instance: async (origin, custodian) => instances.get(keyOf(origin, custodian)),
    async replaceInstance(record) {
      const key = keyOf(record.origin, record.custodian);
      const earlier = instances.get(key);
      if (earlier && lineOf(earlier) !== lineOf(record)) deleteKeys(earlier);
      instances.set(key, record);
    },
    async keepAppKey({ origin, custodian, id }, appKey) {
      const key = keyOf(origin, custodian);
      const record = instances.get(key);
      if (record?.id === id) instances.set(key, { ...record, appKey });
    },
    ...messages,
    async deleteInstances(origin) {
      remove((record) => record.origin === origin);
      messages.remove((record) => record.origin === origin);
    },
    async deleteEnded({ live, now }) {
      remove(({ session, notAfter }) => notAfter <= now || (live !== undefined && session !== live));
      messages.removeEnded({ live, now });
    },
    loadedKey: async (instance, edkDigest) => keys.get(keyName(instance, edkDigest)),
    putLoadedKeys: async (records) => {
      for (const record of records) keys.set(keyName(record.instance, record.edkDigest), record);
    },
    deleteLoadedKey: async (instance, edkDigest) => void keys.delete(keyName(instance, edkDigest)),
    versions: async ({ origin, custodian, account }) =>
      versions.get(`${keyOf(origin, custodian)} ${account}`),
    async keepVersions({ origin, custodian, account, since, sequence, founded, buckets }) {
      const owner = keyOf(origin, custodian);
      const name = `${owner} ${account}`;
      const kept = versions.get(name);
      if ((kept?.sequence ?? 0) < since) return false;
      if (!instances.has(owner) || (kept && kept.sequence > sequence)) return true;
      const next = new Map([...(since > 0 && kept ? kept.buckets : []), ...buckets]);
      versions.set(name, { sequence, founded, buckets: next });
      return true;
    },
    deleteVersions: async ({ origin, custodian, account }) =>
      void versions.delete(`${keyOf(origin, custodian)} ${account}`),
    trustSerial: async (root) => serials.get(root) ?? 0,
    keepTrustSerial: async (root, serial) => void serials.set(root, Math.max(serial, serials.get(root) ?? 0)),
  };
}
