import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { parsePolicies } from "#emulator/hsm/index.ts";
import { OPERATIONS } from "#emulator/hsm/operations/index.ts";
import { OBJECT_TYPES, OperationPolicies } from "#emulator/hsm/policy/operation-policy.ts";
import { namedInPolicies } from "#emulator/hsm/policy/traits.ts";
import { findPython, missing } from "../support/missing.ts";

/** PyKMIP's server and ours, asked what a file of operation policies allows. */

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const FILE = path("../../docs/kmip-policies.example.json");
const ON_OBJECTS = namedInPolicies(OPERATIONS);
const BUILT_IN = ["default", "public"];

type Answer = [
  name: string,
  groups: string[],
  own: boolean,
  type: string,
  operation: string,
  allowed: boolean,
];

const python = findPython("import kmip");

describe.skipIf(missing("python3-pykmip", python))("operation policies", () => {
  let answers: Answer[];
  const ours = new OperationPolicies(OPERATIONS, parsePolicies(readFileSync(FILE, "utf8")));
  beforeAll(async () => {
    const options = { maxBuffer: 64 * 1024 * 1024 };
    const { stdout } = await promisify(execFile)(python!, [path("pykmip/policies.py"), FILE], options);
    answers = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  }, 30_000);

  /** What we answer; undefined for what only PyKMIP knows. */
  function allowed([operationPolicyName, groups, own, type, operation]: Answer): boolean | undefined {
    const objectType = OBJECT_TYPES[type as keyof typeof OBJECT_TYPES];
    const known = ON_OBJECTS[operation];
    if (!objectType || !known) return undefined;
    return ours.for(groups).allows({ objectType, attributes: { operationPolicyName } }, known, own);
  }

  it("from a file allow the same, to owners and others, in groups and in none", () => {
    const asked = answers.filter(([name]) => !BUILT_IN.includes(name));
    const known = asked.filter((answer) => allowed(answer) !== undefined);
    expect(known.length).toBeGreaterThan(2000);
    expect(known.filter((answer) => allowed(answer) !== answer[5])).toEqual([]);
    expect(asked.filter((answer) => allowed(answer) === undefined && answer[5])).toEqual([]);
  });

  it("of every operation on objects have the same name", () => {
    const theirs = new Set(answers.map(([, , , , operation]) => operation));
    expect(Object.keys(ON_OBJECTS).filter((name) => !theirs.has(name))).toEqual([]);
    const types = new Set(answers.map(([, , , type]) => type));
    expect(Object.keys(OBJECT_TYPES).filter((name) => !types.has(name))).toEqual([]);
  });

  it("that are built in allow what PyKMIP's allow, and others no more", () => {
    const asked = answers.filter(([name, groups]) => BUILT_IN.includes(name) && groups.length === 0);
    // Of operations that are newer than the specification's tables ours gives the owner all.
    const differ = asked.filter((answer) => allowed(answer) !== undefined && allowed(answer) !== answer[5]);
    expect(differ.filter(([name, , own, , , theirs]) => theirs || !own || name !== "default")).toEqual([]);
  });
});
