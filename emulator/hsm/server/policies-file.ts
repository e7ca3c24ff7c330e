import { parseJson } from "#protocol/json.ts";
import { OPERATIONS } from "../operations/index.ts";
import {
  BUILT_IN_POLICIES,
  OBJECT_TYPES,
  type OperationPolicy,
  PERMISSIONS,
  type PolicySection,
} from "../policy/operation-policy.ts";
import { namedInPolicies } from "../policy/traits.ts";

/**
 * The file of operation policies, in PyKMIP's form: `{"name": {"preset": {"SYMMETRIC_KEY": {"GET": "ALLOW_OWNER"}},
 * "groups": {"group": {...}}}}`. A policy for nobody but those in no group may leave `preset` out, and have the types of
 * objects where it would stand.
 */

const ON_OBJECTS = namedInPolicies(OPERATIONS);

/** Reads the file's text. Throws `TypeError` with a sentence that says where something is wrong, and what is. */
export function parsePolicies(text: string): Record<string, OperationPolicy> {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw new TypeError("it is not JSON", { cause });
  }
  if (!isObject(value)) throw new TypeError('it must be {"name": {...}} with a policy for each name');
  return Object.fromEntries(Object.entries(value).map(([name, policy]) => [name, policyIn(name, policy)]));
}

function policyIn(name: string, value: unknown): OperationPolicy {
  const place = `policy '${name}'`;
  if (name === "" || name.length > 256) throw new TypeError(`${place}: that cannot be a policy's name`);
  if (BUILT_IN_POLICIES.includes(name))
    throw new TypeError(`${place}: it is built in and cannot be redefined`);
  if (!isObject(value)) throw new TypeError(`${place}: it is not an object`);
  const members = Object.keys(value);
  if (members.length === 0)
    throw new TypeError(`${place}: it is empty; it has 'preset', 'groups' or types of objects`);
  if (members.every((member) => Object.hasOwn(OBJECT_TYPES, member)))
    return { preset: sectionIn(place, value) };
  const unknown = members.find((member) => member !== "preset" && member !== "groups");
  if (unknown !== undefined)
    throw new TypeError(`${place}: '${unknown}' is not known; it has 'preset' and 'groups'`);
  return {
    ...(value.preset === undefined ? {} : { preset: sectionIn(`${place}, preset`, value.preset) }),
    ...(value.groups === undefined ? {} : { groups: groupsIn(place, value.groups) }),
  };
}

function groupsIn(place: string, value: unknown): Record<string, PolicySection> {
  if (!isObject(value)) throw new TypeError(`${place}: 'groups' is not an object`);
  return Object.fromEntries(
    Object.entries(value).map(([group, section]) => {
      if (group === "") throw new TypeError(`${place}: a group has no name`);
      return [group, sectionIn(`${place}, group '${group}'`, section)];
    }),
  );
}

function sectionIn(place: string, value: unknown): PolicySection {
  if (!isObject(value)) throw new TypeError(`${place}: it is not an object of types of objects`);
  for (const [type, rules] of Object.entries(value)) {
    if (!Object.hasOwn(OBJECT_TYPES, type))
      throw new TypeError(
        `${place}: '${type}' is no type of object (${Object.keys(OBJECT_TYPES).join(", ")})`,
      );
    if (!isObject(rules)) throw new TypeError(`${place}, ${type}: it is not an object of operations`);
    for (const [operation, permission] of Object.entries(rules)) {
      // An operation that concerns no object would look as if it were ruled.
      if (!Object.hasOwn(ON_OBJECTS, operation))
        throw new TypeError(`${place}, ${type}: '${operation}' is no operation on objects`);
      if (!PERMISSIONS.some((one) => one === permission))
        throw new TypeError(`${place}, ${type}, ${operation}: it takes ${PERMISSIONS.join(", ")}`);
    }
  }
  return value as PolicySection;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
