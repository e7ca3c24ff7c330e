/** The least value of a shape: what a route answers in a test that says nothing of it. */

import type { Schema, Shape } from "#protocol/shape.ts";

/** Texts of the forms that the contract has; of each text the first that fits is taken. */
const TEXTS = [
  "",
  "a",
  "1",
  "a".repeat(32),
  "a.1",
  "DPoP",
  "00000000-0000-4000-8000-000000000000",
  "aaaa.aaaa.aaaa",
  "https://example.test",
  "CN=a,OU=a,O=a",
  "2030-01-01T00:00:00.000Z",
  "sha384-aaaa",
];

/** Error: a plain one, for a shape of which no value is known here. */
export function sampleOf<T>(shape: Shape<T>): T {
  const value = leastOf(shape.schema);
  const fault = shape.check(value);
  if (fault) throw new Error(`No sample at value${fault.at}: ${JSON.stringify(fault.expected)}`);
  return value as T;
}

function leastOf(schema: Schema): unknown {
  if ("const" in schema) return schema.const;
  const [first] = (schema.enum ?? schema.oneOf ?? schema.anyOf ?? []) as unknown[];
  if (schema.enum) return first;
  if (first !== undefined) return leastOf(first as Schema);
  switch (schema.type) {
    case "object": {
      const named = (schema.properties ?? {}) as Record<string, Schema>;
      const required = (schema.required ?? []) as string[];
      return Object.fromEntries(required.map((name) => [name, leastOf(named[name] ?? {})]));
    }
    case "array":
      return Array.from({ length: schema.minItems as number }, () => leastOf(schema.items as Schema));
    case "integer":
      return schema.minimum;
    case "boolean":
      return false;
    case "string":
      return textOf(schema);
    default:
      return {};
  }
}

function textOf({ minLength = 0, maxLength = 0, pattern }: Schema): string | undefined {
  const form = typeof pattern === "string" ? new RegExp(pattern, "u") : /^/;
  const [min, max] = [Number(minLength), Number(maxLength)];
  return [...TEXTS, "A".repeat(min)].find(
    (text) => text.length >= min && text.length <= max && form.test(text),
  );
}
