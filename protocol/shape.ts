/**
 * The one library of shapes: what a value from outside may be. A shape checks and is at the same time its own JSON Schema
 * (2020-12), from which errors and OpenAPI speak. Closed and bounded: what is not named does not pass, nothing is of any
 * length, and by that nothing is of any depth. It is in the measured microservice, so it is small and imports no package
 * (docs/decisions/0023-one-library-of-shapes.md). Imports base64url. Imported by protocol/, edge/ and web/.
 */

import { isCanonical } from "./base64url.ts";

/** JSON Schema of what passes. That of a shape which is not JSON (bytes, Blob) only speaks to a developer. */
export type Schema = { readonly [keyword: string]: unknown };

/** Where a value does not fit (`.parts[3].etag`, empty for the value itself), and what would. Nothing of the value. */
export type Fault = { at: string; expected: Schema };

export type Shape<T> = {
  readonly schema: Schema;
  /** Null for a value that fits. The value is only looked at. */
  readonly check: (value: unknown) => Fault | null;
  /** The type of what fits; there is no such member. */
  readonly type?: T;
};

/** The type of what fits a shape. */
export type Of<S> = S extends Shape<infer T> ? T : never;

/** Why a value was not taken, for the developer who sent it. */
export class ShapeError extends TypeError {
  override readonly name = "ShapeError";
  readonly at: string;
  constructor({ at, expected }: Fault) {
    super(`value${at}: expected ${JSON.stringify(expected)}`);
    this.at = at;
  }
}

export function fits<T>(shape: Shape<T>, value: unknown): value is T {
  return shape.check(value) === null;
}

/** The value as it is. Throws `ShapeError` for one that does not fit. */
export function checked<T>(shape: Shape<T>, value: unknown): T {
  const fault = shape.check(value);
  if (fault) throw new ShapeError(fault);
  return value as T;
}

/** A shape of what `test` takes. */
function shape<T>(schema: Schema, test: (value: unknown) => boolean): Shape<T> {
  return { schema, check: (value) => (test(value) ? null : { at: "", expected: schema }) };
}

/** A text of `min` to `max` UTF-16 units, of a form that JSON Schema can say too. */
export function text(min: number, max: number, pattern?: RegExp): Shape<string> {
  const schema = {
    type: "string",
    minLength: min,
    maxLength: max,
    ...(pattern && { pattern: pattern.source }),
  };
  return shape(
    schema,
    (value) =>
      typeof value === "string" &&
      value.length >= min &&
      value.length <= max &&
      (pattern === undefined || pattern.test(value)),
  );
}

/** 1 to `max` characters, none of them a control character. */
export function line(max: number): Shape<string> {
  return text(1, max, /^\P{Cc}*$/u);
}

/** Strict base64url of `min` to `max` bytes. */
export function base64url(min: number, max: number = min): Shape<string> {
  const characters = (bytes: number) => Math.ceil((bytes * 4) / 3);
  const form = text(characters(min), characters(max), /^[\w-]*$/);
  return shape(form.schema, (value) => fits(form, value) && isCanonical(value));
}

/** Compact JWS (RFC 7515 §3.1) of at most `max` characters. */
export function compactJws(max: number): Shape<string> {
  return text(5, max, /^[\w-]+\.[\w-]+\.[\w-]+$/);
}

/** A whole number that a double holds exactly. */
export function whole(min: number, max: number = Number.MAX_SAFE_INTEGER): Shape<number> {
  return shape(
    { type: "integer", minimum: min, maximum: max },
    (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
  );
}

/** Whole seconds since 1970, NumericDate of RFC 7519 §2. */
export const seconds: Shape<number> = /* @__PURE__ */ whole(0);

export const boolean: Shape<boolean> = /* @__PURE__ */ shape(
  { type: "boolean" },
  (value) => typeof value === "boolean",
);

/** One of these values and no other. */
export function literal<const T extends readonly (string | number)[]>(...allowed: T): Shape<T[number]> {
  return shape(allowed.length === 1 ? { const: allowed[0] } : { enum: allowed }, (value) =>
    allowed.includes(value as T[number]),
  );
}

export function nullable<T>(inner: Shape<T>): Shape<T | null> {
  return {
    schema: { anyOf: [inner.schema, { type: "null" }] },
    check: (value) => (value === null ? null : inner.check(value)),
  };
}

/** What any of them takes. */
export function either<S extends readonly Shape<unknown>[]>(...shapes: S): Shape<Of<S[number]>> {
  const schema = { anyOf: shapes.map((one) => one.schema) };
  return shape(schema, (value) => shapes.some((one) => fits(one, value)));
}

/** An array of `min` to `max` items. */
export function list<T>(item: Shape<T>, min: number, max: number): Shape<T[]> {
  const schema = { type: "array", items: item.schema, minItems: min, maxItems: max };
  return {
    schema,
    check(value) {
      if (!Array.isArray(value) || value.length < min || value.length > max)
        return { at: "", expected: schema };
      for (let i = 0; i < value.length; i++) {
        const fault = within(`[${i}]`, item.check(value[i]));
        if (fault) return fault;
      }
      return null;
    },
  };
}

/** An array of texts or numbers of which none comes twice. */
export function set<T extends string | number>(item: Shape<T>, min: number, max: number): Shape<T[]> {
  const items = list(item, min, max);
  const schema = { ...items.schema, uniqueItems: true };
  return {
    schema,
    check: (value) =>
      items.check(value) ??
      (new Set(value as T[]).size === (value as T[]).length ? null : { at: "", expected: schema }),
  };
}

type Members = Readonly<Record<string, Shape<unknown>>>;
type RequiredOf<M extends Members> = { [K in keyof M]: Of<M[K]> };
type OptionalOf<M extends Members> = { [K in keyof M]?: Of<M[K]> };
export type ObjectOf<R extends Members, O extends Members> = RequiredOf<R> & OptionalOf<O>;
type None = Record<never, never>;

/** A plain object with all of `required`, any of `optional`, and nothing else. */
export function object<R extends Members, O extends Members = None>(
  required: R,
  optional?: O,
): Shape<ObjectOf<R, O>> {
  return members(required, optional ?? {}, false);
}

/** The same with more members: what a newer release answers may say more. Who reads it bounds its bytes and its depth. */
export function open<R extends Members, O extends Members = None>(
  required: R,
  optional?: O,
): Shape<ObjectOf<R, O>> {
  return members(required, optional ?? {}, true);
}

function members<T>(required: Members, optional: Members, more: boolean): Shape<T> {
  const named: Members = { ...required, ...optional };
  const schema = {
    type: "object",
    properties: Object.fromEntries(Object.entries(named).map(([name, { schema }]) => [name, schema])),
    required: Object.keys(required),
    ...(more ? {} : { additionalProperties: false }),
  };
  return {
    schema,
    check(value) {
      const unnamed = (name: string) => !Object.hasOwn(named, name);
      if (!isPlain(value) || (!more && Object.keys(value).some(unnamed))) return { at: "", expected: schema };
      for (const name in named) {
        const there = Object.hasOwn(value, name);
        // Structured cloning keeps members that are undefined.
        if ((!there || value[name] === undefined) && !Object.hasOwn(required, name)) continue;
        const fault = within(
          `.${name}`,
          (named[name] as Shape<unknown>).check(there ? value[name] : undefined),
        );
        if (fault) return fault;
      }
      return null;
    },
  };
}

/** Objects of several kinds, told apart by the member `tag`. */
export function union<const K extends string, S extends Readonly<Record<string, Shape<unknown>>>>(
  tag: K,
  kinds: S,
): Shape<{ [N in keyof S]: Of<S[N]> & { [T in K]: N } }[keyof S]> {
  const schema = { oneOf: Object.values(kinds).map((kind) => kind.schema) };
  return {
    schema,
    check(value) {
      const name = isPlain(value) && Object.hasOwn(value, tag) ? value[tag] : undefined;
      if (typeof name !== "string" || !Object.hasOwn(kinds, name))
        return { at: `.${tag}`, expected: { enum: Object.keys(kinds) } };
      return (kinds[name] as Shape<unknown>).check(value);
    },
  };
}

/** A text-to-text record of at most `entries` entries, names and texts of at most `max` UTF-16 units. */
export function record(entries: number, max: number): Shape<Record<string, string>> {
  const item = text(0, max);
  return shape(
    { type: "object", maxProperties: entries, propertyNames: item.schema, additionalProperties: item.schema },
    (value) =>
      isPlain(value) &&
      Object.keys(value).length <= entries &&
      Object.entries(value).every((pair) => pair.every((each) => fits(item, each))),
  );
}

/** Any value: the bounds are somebody else's. */
export const anything: Shape<unknown> = /* @__PURE__ */ shape({}, () => true);

/** Any JSON of at most `depth` levels and `size` values. */
export function json(depth: number, size: number): Shape<unknown> {
  return shape({}, (value) => {
    let left = size;
    const bounded = (one: unknown, levels: number): boolean => {
      if (--left < 0) return false;
      if (typeof one === "number") return Number.isFinite(one);
      if (one === null || typeof one === "string" || typeof one === "boolean") return true;
      const inner = Array.isArray(one) ? one : isPlain(one) ? Object.values(one) : null;
      return inner !== null && levels > 0 && inner.every((each) => bounded(each, levels - 1));
    };
    return bounded(value, depth);
  });
}

/** An ArrayBuffer of 1 to `max` bytes; shared, resizable and detached ones are refused. */
export function bytes(max: number): Shape<ArrayBuffer> {
  return shape(
    { instance: "ArrayBuffer", maxBytes: max },
    (value) =>
      value instanceof ArrayBuffer && !value.resizable && value.byteLength >= 1 && value.byteLength <= max,
  );
}

export const blob: Shape<Blob> = /* @__PURE__ */ shape(
  { instance: "Blob" },
  (value) => value instanceof Blob,
);

/** Symbols and prototypes do not survive structured cloning or JSON; refused so that both ends see the same thing. */
function isPlain(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.getPrototypeOf(value) === Object.prototype &&
    Object.getOwnPropertySymbols(value).length === 0
  );
}

function within(at: string, fault: Fault | null): Fault | null {
  return fault && { at: at + fault.at, expected: fault.expected };
}
