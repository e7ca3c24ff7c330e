import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { OPERATIONS } from "../operations/index.ts";
import { OperationPolicies } from "../policy/operation-policy.ts";
import { parsePolicies } from "./policies-file.ts";

const text = (value: unknown) => JSON.stringify(value);
const rules = { GET: "ALLOW_ALL" };

describe("the file of operation policies", () => {
  it("is the one that the documentation shows", () => {
    const example = readFileSync(
      new URL("../../../docs/kmip-policies.example.json", import.meta.url),
      "utf8",
    );
    const policies = parsePolicies(example);
    expect(Object.keys(policies)).toEqual(["shared", "backup"]);
    expect(policies).toEqual(JSON.parse(example));
  });

  it("may have types of objects in the place of preset, as PyKMIP's may", () => {
    expect(parsePolicies(text({ old: { SYMMETRIC_KEY: rules } }))).toEqual({
      old: { preset: { SYMMETRIC_KEY: rules } },
    });
  });

  it.each([
    ["default: {}", "it is not JSON"],
    ["[]", 'it must be {"name": {...}}'],
    [text({ "": { preset: {} } }), "policy ''"],
    [text({ default: { preset: {} } }), "policy 'default': it is built in and cannot be redefined"],
    [text({ public: { preset: {} } }), "policy 'public': it is built in and cannot be redefined"],
    [text({ p: [] }), "policy 'p': it is not an object"],
    [text({ p: {} }), "policy 'p': it is empty"],
    [text({ p: { presets: {} } }), "policy 'p': 'presets' is not known"],
    [text({ p: { preset: {}, SYMMETRIC_KEY: rules } }), "policy 'p': 'SYMMETRIC_KEY' is not known"],
    [text({ p: { preset: [] } }), "policy 'p', preset: it is not an object"],
    [text({ p: { groups: ["g"] } }), "policy 'p': 'groups' is not an object"],
    [text({ p: { groups: { "": {} } } }), "policy 'p': a group has no name"],
    [text({ p: { groups: { g: null } } }), "policy 'p', group 'g': it is not an object"],
    [text({ p: { preset: { SYMMETRICKEY: {} } } }), "'SYMMETRICKEY' is no type of object (CERTIFICATE, "],
    [text({ p: { preset: { toString: {} } } }), "'toString' is no type of object"],
    [text({ p: { preset: { PUBLIC_KEY: 1 } } }), "policy 'p', preset, PUBLIC_KEY: it is not an object"],
    [text({ p: { groups: { g: { PUBLIC_KEY: { FETCH: "ALLOW_ALL" } } } } }), "'FETCH' is no operation"],
    [
      text({ p: { preset: { PUBLIC_KEY: { CREATE: "DISALLOW_ALL" } } } }),
      "'CREATE' is no operation on objects",
    ],
    [text({ p: { preset: { PUBLIC_KEY: { GET: "ALLOW" } } } }), "PUBLIC_KEY, GET: it takes ALLOW_ALL, "],
    [text({ p: { preset: { PUBLIC_KEY: { GET: true } } } }), "PUBLIC_KEY, GET: it takes ALLOW_ALL, "],
  ])("%s is refused: %s", (file, sentence) => {
    expect(() => parsePolicies(file)).toThrow(sentence);
    expect(() => parsePolicies(file)).toThrow(TypeError);
  });

  it("takes no names from what JavaScript adds", () => {
    const odd = parsePolicies('{"__proto__": {"preset": {}}, "constructor": {"groups": {"__proto__": {}}}}');
    expect(Object.keys(odd)).toEqual(["__proto__", "constructor"]);
    const object = {
      objectType: "SymmetricKey" as const,
      attributes: { operationPolicyName: "constructor" },
    };
    const permissions = new OperationPolicies(OPERATIONS, odd).for(["toString", "__proto__"]);
    expect(permissions.allows(object, "Get", true)).toBe(false);
    expect(new OperationPolicies(OPERATIONS).for([]).knows("constructor")).toBe(false);
  });

  it("redefines nothing that is built in, in code either", () => {
    expect(
      () =>
        new OperationPolicies(OPERATIONS, { default: { preset: { SYMMETRIC_KEY: { GET: "ALLOW_ALL" } } } }),
    ).toThrow(TypeError);
  });
});
