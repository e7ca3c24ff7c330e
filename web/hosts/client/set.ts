import { CofferError, type ErrorCode } from "#protocol/error.ts";
import type { Answer, CryptoOperation, Question } from "#protocol/operations/index.ts";
import type { Answered, Asked, CallOptions, ServiceClient } from "./client.ts";

type Instance = NonNullable<Answered<"describe">["instance"]>;

/** A key that each instance has encrypted for itself (M10), by the id of the instance. For the custodian to keep. */
export type SetKey = Readonly<Record<string, string>>;

/** `key` is an EDK that is loaded on each, or what the set has entrusted. */
type AskedOfSet<O extends CryptoOperation> =
  Question<O> extends { key?: string }
    ? Omit<Question<O>, "key"> & { [K in Extract<keyof Question<O>, "key">]: Question<O>[K] | SetKey }
    : Question<O>;

export interface ServiceSet {
  /** What each instance says of itself. Throws `foreign-custodian` where one serves another custodian, `not-enrolled` where none is enrolled. */
  instances(): Promise<Instance[]>;
  /** Loads keys on each instance: `load` asks the KMS for what is handed to this one. Throws unless each has them. */
  load(load: (instance: Instance) => Promise<Asked<"load">>): Promise<void>;
  /** Loaded keys, encrypted by each instance under its own local master key, in the order of the EDKs. Each instance drops them. */
  entrust(edks: string[]): Promise<SetKey[]>;
  /**
   * One operation, by one of the instances: each in its turn, and the next where one cannot be reached or does not have the key. Errors as
   * those of a client; where no instance answers, that of the last.
   */
  operate<O extends CryptoOperation>(
    operation: O,
    asked: AskedOfSet<O>,
    options?: CallOptions,
  ): Promise<Answer<O>>;
}

/** So long it is known which instance is there and whom it serves; another may have been started in its place since. */
const KNOWN_MS = 10_000;

/** Another instance may do better. What is refused for what was asked would be refused by all. */
const OTHERS_MAY: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "offline",
  "not-enrolled",
  "key-missing",
  "no-microservice",
  "no-session",
  "busy",
  "internal",
]);

/**
 * A set of instances that serve one custodian (M13), each enrolled by itself, with keys of its own: none can use what was entrusted by
 * another. `custodian`: the Distinguished Name that all of them are bound to.
 *
 * @example
 * const set = createServiceSet({ custodian, clients: [first, second] });
 * await set.load(async ({ wrappingCertificate }) => askKms({ way: "rewrap", edk, certificate: wrappingCertificate }));
 * const [key] = await set.entrust([edk]);
 * const { mac } = await set.operate("mac", { key, data });
 */
export function createServiceSet({
  custodian,
  clients,
}: {
  custodian: string;
  clients: readonly ServiceClient[];
}): ServiceSet {
  if (clients.length === 0) throw new TypeError("a set has an instance");
  const ids = new Map<ServiceClient, { id: string; until: number }>();
  let turn = 0;
  const describe = async (client: ServiceClient): Promise<Instance> => {
    const { instance } = await client.call("describe");
    if (!instance) throw new CofferError("not-enrolled");
    if (instance.custodian !== custodian) throw new CofferError("foreign-custodian");
    ids.set(client, { id: instance.id, until: performance.now() + KNOWN_MS });
    return instance;
  };
  const idOf = async (client: ServiceClient) => {
    const known = ids.get(client);
    return known && performance.now() < known.until ? known.id : (await describe(client)).id;
  };
  /** What is asked of this instance; undefined where the key is not for it. */
  const askedOf = async <O extends CryptoOperation>(
    client: ServiceClient,
    asked: AskedOfSet<O>,
  ): Promise<Question<O> | undefined> => {
    // Whose it is has to be known before it is asked for anything.
    const id = await idOf(client);
    const key = "key" in asked ? asked.key : undefined;
    if (!isObject(key)) return asked as Question<O>;
    return Object.hasOwn(key, id) ? ({ ...asked, key: key[id] } as Question<O>) : undefined;
  };
  return {
    instances: () => Promise.all(clients.map(describe)),
    async load(load) {
      await Promise.all(
        clients.map(async (client) => {
          await client.call("load", await load(await describe(client)));
        }),
      );
    },
    async entrust(edks) {
      const each = await Promise.all(
        clients.map(async (client) => {
          const { id } = await describe(client);
          const { keys } = await client.call("entrust", { edks });
          if (keys.length !== edks.length) throw new CofferError("unexpected-response");
          return [id, keys] as const;
        }),
      );
      return edks.map((_, n) => Object.fromEntries(each.map(([id, keys]) => [id, keys[n] ?? ""])));
    },
    async operate(operation, asked, options = {}) {
      const first = turn++;
      let last: unknown = new CofferError("key-missing");
      for (let n = 0; n < clients.length; n++) {
        options.signal?.throwIfAborted();
        const client = clients[(first + n) % clients.length] as ServiceClient;
        try {
          const own = await askedOf(client, asked);
          if (own) return await client.operate(operation, own, options);
        } catch (error) {
          if (!(error instanceof CofferError && mayBeAnothers(error))) throw error;
          // It may be another when it is back.
          ids.delete(client);
          last = error;
        }
      }
      throw last;
    },
  };
}

function mayBeAnothers({ code, status }: CofferError): boolean {
  return OTHERS_MAY.has(code) || code.startsWith("http-") || (status !== undefined && status >= 500);
}

function isObject(key: unknown): key is SetKey {
  return typeof key === "object" && key !== null;
}
