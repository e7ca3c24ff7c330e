/** Exact shapes of what may pass a port. A shape returns the value as it is or throws `port-violation`. */
import { CofferError } from "../error.ts";

export type Shape<T> = (value: unknown) => T;

export function violation(): never {
  throw new CofferError("port-violation");
}

/** A text of at most `limit` UTF-16 units. */
export function text(limit: number, pattern?: RegExp): Shape<string> {
  return (value) => {
    if (typeof value !== "string" || value.length > limit || (pattern && !pattern.test(value))) violation();
    return value;
  };
}

/** A whole number from `least` to `most`. */
export function whole(least: number, most: number): Shape<number> {
  return (value) => {
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < least || value > most)
      violation();
    return value;
  };
}

export const truth: Shape<boolean> = (value) => (typeof value === "boolean" ? value : violation());

export function literal<const T extends string | number>(expected: T): Shape<T> {
  return (value) => (value === expected ? expected : violation());
}

export function list<T>(item: Shape<T>, limit: number): Shape<T[]> {
  return (value) => {
    if (!Array.isArray(value) || value.length > limit) violation();
    for (const one of value) item(one);
    return value as T[];
  };
}

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return (value) => (value === null ? null : shape(value));
}

/** An ArrayBuffer of 1 to `limit` bytes; shared, resizable and detached ones are refused. */
export function bytes(limit: number): Shape<ArrayBuffer> {
  return (value) => {
    if (!(value instanceof ArrayBuffer) || value.resizable) violation();
    if (value.byteLength < 1 || value.byteLength > limit) violation();
    return value;
  };
}

export const blob: Shape<Blob> = (value) => (value instanceof Blob ? value : violation());

function plain(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) violation();
  if (Object.getPrototypeOf(value) !== Object.prototype) violation();
  // Symbol keys and accessors do not survive structured cloning; refused so that both ends see the same thing.
  if (Object.getOwnPropertySymbols(value).length > 0) violation();
  return value as Record<string, unknown>;
}

/** A text-to-text record of at most `entries` entries, texts of at most `limit` units. */
export function record(entries: number, limit: number): Shape<Record<string, string>> {
  const item = text(limit);
  return (value) => {
    const fields = Object.entries(plain(value));
    if (fields.length > entries) violation();
    for (const [key, one] of fields) {
      item(key);
      item(one);
    }
    return value as Record<string, string>;
  };
}

type Fields = Record<string, Shape<unknown>>;
type Of<F extends Fields> = { [K in keyof F]: ReturnType<F[K]> };

/** A plain object with all of `required`, any of `optional`, and nothing else. */
export function object<R extends Fields, O extends Fields = Record<never, never>>(
  required: R,
  optional?: O,
): Shape<Of<R> & Partial<Of<O>>> {
  return (value) => {
    const fields = plain(value);
    for (const [key, shape] of Object.entries(required)) {
      if (!Object.hasOwn(fields, key)) violation();
      shape(fields[key]);
    }
    for (const key of Object.keys(fields)) {
      if (Object.hasOwn(required, key)) continue;
      const shape = optional && Object.hasOwn(optional, key) ? optional[key] : undefined;
      if (!shape) violation();
      if (fields[key] !== undefined) shape(fields[key]);
    }
    return value as Of<R> & Partial<Of<O>>;
  };
}
