/**
 * The definition of a policy's meaning, written down a second time and for nothing but to be compared with: it parses
 * nothing beforehand, knows no rules, and says for each part whether it must hold and whether it may.
 */
import { nameOfText, readName } from "../../pki/distinguished-name.ts";
import type { Asked } from "./facts.ts";
import type { Policy, Statement } from "./language.ts";

/** Under all that is known: it holds for sure, and it may hold. */
type Bounds = { must: boolean; may: boolean };
const YES: Bounds = { must: true, may: true };
const NO: Bounds = { must: false, may: false };
const UNKNOWN: Bounds = { must: false, may: true };

const or = (...all: Bounds[]): Bounds => ({
  must: all.some(({ must }) => must),
  may: all.some(({ may }) => may),
});
const and = (...all: Bounds[]): Bounds => ({
  must: all.every(({ must }) => must),
  may: all.every(({ may }) => may),
});
/** Several values of a thing that should have one. */
const agreed = (all: Bounds[]): Bounds =>
  all.length === 0 ? NO : { must: all.every(({ must }) => must), may: all.some(({ may }) => may) };

export function naive(policies: readonly Policy[], asked: Asked): boolean {
  if (policies.length === 0) return false;
  const denied = policies.some(({ statements }) =>
    statements.some((one) => one.effect === "deny" && bounds(one, asked).may),
  );
  const allowed = policies.every(({ statements }) =>
    statements.some((one) => one.effect === "allow" && bounds(one, asked).must),
  );
  return allowed && !denied;
}

function bounds({ principals, actions, resources, conditions = {} }: Statement, asked: Asked): Bounds {
  const { time, origins, accounts, purposes, headers, paths, wrappings } = conditions;
  const parts: Bounds[] = [];
  parts.push(principals === "*" ? YES : or(...principals.map((one) => principal(one, asked))));
  parts.push(actions === "*" || actions.includes(asked.action) ? YES : NO);
  parts.push(resources === "*" ? YES : or(...resources.map((one) => path(one, asked.resource))));
  if (time) {
    const inside = asked.now >= (time.from ?? 0) && asked.now < (time.until ?? Infinity);
    parts.push(Number.isNaN(asked.now) ? UNKNOWN : inside ? YES : NO);
  }
  if (origins) parts.push(given(asked.origin, (it) => (origins.includes(it) ? YES : NO)));
  if (accounts) parts.push(given(asked.account, (it) => or(...accounts.map((one) => glob(one, it)))));
  if (purposes) parts.push(given(asked.purpose, (it) => or(...purposes.map((one) => glob(one, it)))));
  if (paths) parts.push(given(asked.http, (it) => or(...paths.map((one) => path(one, it.path)))));
  if (wrappings) parts.push(given(asked.wrapping, (it) => (wrappings.includes(it) ? YES : NO)));
  for (const [name, text] of Object.entries(headers ?? {})) {
    parts.push(
      given(asked.http, (it) => {
        const values: string[] = [];
        for (const [field, value] of it.headers)
          if (field.toLowerCase() === name) for (const item of value.split(",")) values.push(item.trim());
        return agreed(values.map((value) => glob(text, value)));
      }),
    );
  }
  return and(...parts);
}

function given<T>(value: T | null | undefined, test: (value: T) => Bounds): Bounds {
  return value === undefined ? UNKNOWN : value === null ? NO : test(value);
}

function principal(wanted: Exclude<Statement["principals"], "*">[number], asked: Asked): Bounds {
  const parts: Bounds[] = [];
  if (wanted.name) {
    let found: { type: string; text: string | undefined }[] = [];
    try {
      found = readName(nameOfText(asked.principal)).flat();
    } catch {
      // Not a name.
    }
    for (const [type, text] of Object.entries(wanted.name)) {
      const oid = { CN: "2.5.4.3", OU: "2.5.4.11", O: "2.5.4.10" }[type];
      const values = found.filter((one) => one.type === oid);
      parts.push(
        found.length === 0
          ? UNKNOWN
          : agreed(values.map((one) => (one.text === undefined ? UNKNOWN : glob(text, one.text)))),
      );
    }
  }
  for (const kind of ["roles", "groups"] as const) {
    const patterns = wanted[kind];
    if (patterns)
      parts.push(
        given(asked[kind], (all) => or(...all.flatMap((it) => patterns.map((one) => glob(one, it))))),
      );
  }
  if (wanted.persons) {
    const patterns = wanted.persons;
    parts.push(given(asked.person, (it) => or(...patterns.map((one) => glob(one, it)))));
  }
  if (wanted.tiers) {
    const tiers = wanted.tiers;
    parts.push(given(asked.tier, (it) => (tiers.includes(it) ? YES : NO)));
  }
  if (wanted.methods) {
    const methods: string[] = wanted.methods;
    parts.push(given(asked.method, (it) => (methods.includes(it) ? YES : NO)));
  }
  for (const [number, value] of Object.entries(wanted.registers ?? {}))
    parts.push(
      given(asked.registers, (it) => {
        if (it[number] === undefined || it[number].length !== value.length) return UNKNOWN;
        return it[number] === value ? YES : NO;
      }),
    );
  return and(...parts);
}

/** By trying every length that a wildcard can have. */
function glob(text: string, value: string): Bounds {
  const fold = (one: string) => one.replaceAll(" ", "").toUpperCase();
  if (tries(text, value)) return YES;
  return tries(fold(text), fold(value)) ? UNKNOWN : NO;
}

function tries(text: string, value: string): boolean {
  if (text === "") return value === "";
  if (text.startsWith("\\")) return value[0] === text[1] && tries(text.slice(2), value.slice(1));
  if (!text.startsWith("*")) return value[0] === text[0] && tries(text.slice(1), value.slice(1));
  for (let taken = 0; taken <= value.length; taken++)
    if (tries(text.slice(1), value.slice(taken))) return true;
  return false;
}

/** Of the alphabet of the generator: dots, an encoded slash and empty segments have other spellings. */
function path(text: string, value: string): Bounds {
  if (value === "" || /^\.\.?$|\/\.\.?$|^\.\.?\/|\/\.\.?\/|%2F|\/\/|;/.test(value)) return UNKNOWN;
  const exact = segments(text.split("/"), value.split("/"));
  if (exact.may) return exact;
  const other = value.endsWith("/") ? value.slice(0, -1) : `${value}/`;
  return segments(text.split("/"), other.split("/")).may ? UNKNOWN : NO;
}

function segments([pattern, ...patterns]: string[], [value, ...values]: string[]): Bounds {
  if (pattern === "**" && patterns.length === 0) return YES;
  if (pattern === undefined || value === undefined) return pattern === value ? YES : NO;
  return and(pattern === "" ? (value === "" ? YES : NO) : glob(pattern, value), segments(patterns, values));
}
