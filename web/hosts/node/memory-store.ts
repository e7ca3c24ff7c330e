import {
  type InstanceRecord,
  type LoadedKeyRecord,
  memoryMessages,
  type Store,
} from "../../microservice/index.ts";

/** A microservice's store for the life of one process; holds one instance a custodian and the keys wrapped to it. */
export function memoryStore(): Store {
  const messages = memoryMessages();
  const instances = new Map<string, InstanceRecord>();
  const keys = new Map<string, LoadedKeyRecord>();
  const serials = new Map<string, number>();
  const keyName = (instance: string, edkDigest: string) => `${instance} ${edkDigest}`;
  function remove(ended: (record: InstanceRecord) => boolean): void {
    for (const [name, record] of instances) {
      if (!ended(record)) continue;
      instances.delete(name);
      keys.clear();
    }
  }
  return {
    instance: async (origin, custodian) => instances.get(`${origin} ${custodian}`),
    async replaceInstance(record) {
      instances.set(`${record.origin} ${record.custodian}`, record);
      keys.clear();
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
    putLoadedKey: async (record) => void keys.set(keyName(record.instance, record.edkDigest), record),
    deleteLoadedKey: async (instance, edkDigest) => void keys.delete(keyName(instance, edkDigest)),
    trustSerial: async (root) => serials.get(root) ?? 0,
    keepTrustSerial: async (root, serial) => void serials.set(root, Math.max(serial, serials.get(root) ?? 0)),
  };
}
