import type { ManagedObject } from "../store/managed-object.ts";
import { namedInPolicies, type OperationTraits } from "./traits.ts";

/**
 * Operation policies (KMIP 1.4 §3.18 Operation Policy Name): what an object's owner and everybody else may do with it, by the type of the object
 * and by operation. A client that is in groups is judged by what a policy says of these, and by nothing else. They are
 * for ordinary clients and what they own; what a policy does not name is refused, to the owner too.
 */

export const OBJECT_TYPES = {
  CERTIFICATE: "Certificate",
  CERTIFICATE_REQUEST: "CertificateRequest",
  OPAQUE_DATA: "OpaqueObject",
  PGP_KEY: "PGPKey",
  PRIVATE_KEY: "PrivateKey",
  PUBLIC_KEY: "PublicKey",
  SECRET_DATA: "SecretData",
  SPLIT_KEY: "SplitKey",
  SYMMETRIC_KEY: "SymmetricKey",
  TEMPLATE: "Template",
} as const;

export const PERMISSIONS = ["ALLOW_ALL", "ALLOW_OWNER", "DISALLOW_ALL"] as const;

export type Permission = (typeof PERMISSIONS)[number];

/** By the names that policies have for operations on objects, such as `GET_ATTRIBUTES`. */
type Rules = Readonly<Partial<Record<string, Permission>>>;

/** Permissions by type of object and operation; what is absent is refused. */
export type PolicySection = Readonly<Partial<Record<keyof typeof OBJECT_TYPES, Rules>>>;

export interface OperationPolicy {
  /** For clients that are in no group. */
  preset?: PolicySection;
  /** For members of these groups; a member of several may do what any of them may. */
  groups?: Readonly<Record<string, PolicySection>>;
}

/** The policy of objects that name none. */
const DEFAULT = "default";

/** KMIP 1.4 §3.18 Operation Policy Name: certificates and public keys may be read by everybody. */
const READING: Rules = {
  LOCATE: "ALLOW_ALL",
  CHECK: "ALLOW_ALL",
  GET: "ALLOW_ALL",
  GET_ATTRIBUTES: "ALLOW_ALL",
  GET_ATTRIBUTE_LIST: "ALLOW_ALL",
  OBTAIN_LEASE: "ALLOW_ALL",
};

/**
 * The policies of the specification (KMIP 1.4 §3.18 Operation Policy Name), which knows no groups: these are the same for all. Of
 * operations that are newer than its tables, such as Encrypt, the owner has all.
 */
const builtIn = (owners: Rules): Readonly<Record<string, PolicySection>> => ({
  [DEFAULT]: {
    ...(Object.fromEntries(Object.keys(OBJECT_TYPES).map((type) => [type, owners])) as PolicySection),
    CERTIFICATE: { ...owners, ...READING },
    PUBLIC_KEY: { ...owners, ...READING },
  },
  // Templates for everybody, which nobody changes any more.
  public: {
    TEMPLATE: {
      LOCATE: "ALLOW_ALL",
      GET: "ALLOW_ALL",
      GET_ATTRIBUTES: "ALLOW_ALL",
      GET_ATTRIBUTE_LIST: "ALLOW_ALL",
    },
  },
});

/** Names that no configuration redefines. */
export const BUILT_IN_POLICIES: readonly string[] = Object.keys(builtIn({}));

/** Permissions by type of object, then by operation. */
type Table = ReadonlyMap<string, ReadonlyMap<string, Permission>>;

interface Tables {
  preset: Table;
  /** Absent where groups make no difference. */
  groups?: ReadonlyMap<string, Table>;
}

type Ruled = Pick<ManagedObject, "objectType" | "attributes">;

/** The operation policies of a server. */
export class OperationPolicies {
  /** The operations that there are. */
  readonly operations: OperationTraits;
  #policies: ReadonlyMap<string, Tables>;

  /** Throws `TypeError` for a policy that has a built-in one's name. */
  constructor(operations: OperationTraits, policies: Readonly<Record<string, OperationPolicy>> = {}) {
    this.operations = operations;
    const named = namedInPolicies(operations);
    const owners = Object.fromEntries(Object.keys(named).map((name) => [name, "ALLOW_OWNER"])) as Rules;
    const taken = Object.keys(policies).find((name) => BUILT_IN_POLICIES.includes(name));
    if (taken !== undefined) throw new TypeError(`the policy '${taken}' cannot be redefined`);
    const known = Object.entries(builtIn(owners)).map(([name, section]): [string, Tables] => [
      name,
      { preset: tableOf(section, named) },
    ]);
    const configured = Object.entries(policies).map(
      ([name, { preset = {}, groups = {} }]): [string, Tables] => [
        name,
        {
          preset: tableOf(preset, named),
          groups: new Map(Object.entries(groups).map(([group, section]) => [group, tableOf(section, named)])),
        },
      ],
    );
    this.#policies = new Map([...configured, ...known]);
  }

  /** What they allow members of these groups. */
  for(groups: readonly string[]): Permissions {
    return new Permissions(this.#policies, groups);
  }
}

/** What the operation policies allow one client. */
export class Permissions {
  #policies: ReadonlyMap<string, Tables>;
  #groups: readonly string[];

  constructor(policies: ReadonlyMap<string, Tables>, groups: readonly string[]) {
    this.#policies = policies;
    this.#groups = groups;
  }

  /** Whether there is a policy of that name. */
  knows(name: string): boolean {
    return this.#policies.has(name);
  }

  /** Whether the client may do that with the object, which it owns or not. */
  allows({ objectType, attributes }: Ruled, operation: string, own: boolean): boolean {
    return this.#tables(attributes.operationPolicyName).some((table) => {
      const permission = table.get(String(objectType))?.get(operation);
      return permission === "ALLOW_ALL" || (own && permission === "ALLOW_OWNER");
    });
  }

  /** Whether the client may do anything with the object, which is another's. */
  allowsAny({ objectType, attributes }: Ruled): boolean {
    return this.#tables(attributes.operationPolicyName).some((table) =>
      [...(table.get(String(objectType))?.values() ?? [])].includes("ALLOW_ALL"),
    );
  }

  /** The policies, and types of objects, by which the client may do that with what others own. */
  shared(operation: string): { policy?: string; objectType: string }[] {
    const found: { policy?: string; objectType: string }[] = [];
    for (const name of this.#policies.keys())
      for (const table of this.#tables(name))
        for (const [objectType, permissions] of table)
          if (permissions.get(operation) === "ALLOW_ALL")
            // An object may have the default policy without saying so.
            found.push({ objectType, ...(name === DEFAULT ? {} : { policy: name }) });
    return found;
  }

  /** The tables that judge the client; none for a policy that is not there (any more), which allows nobody anything. */
  #tables(name = DEFAULT): Table[] {
    const policy = this.#policies.get(name);
    if (!policy) return [];
    const { preset, groups } = policy;
    if (!groups || this.#groups.length === 0) return [preset];
    return this.#groups.flatMap((group) => groups.get(group) ?? []);
  }
}

function tableOf(section: PolicySection, named: Readonly<Record<string, string>>): Table {
  return new Map(
    Object.entries(section).map(([type, rules]) => [
      OBJECT_TYPES[type as keyof typeof OBJECT_TYPES],
      new Map(
        Object.entries(rules).flatMap(([name, permission]) => {
          const operation = Object.hasOwn(named, name) ? named[name] : undefined;
          return permission && operation ? [[operation, permission] as const] : [];
        }),
      ),
    ]),
  );
}
