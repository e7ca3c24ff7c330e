/** Checks of parsed JSON, by hand and closed: exact members, bounded values. Nothing that is not named passes. */

import { decodeBase64url } from "../base64url.ts";

export type Check = (value: unknown) => boolean;

/** An object with all required members, perhaps the optional ones, and no other. */
export function record(required: Record<string, Check>, optional: Record<string, Check> = {}): Check {
  const checks = new Map(Object.entries({ ...required, ...optional }));
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
    const members = Object.entries(value);
    return (
      Object.keys(required).every((name) => Object.hasOwn(value, name)) &&
      members.every(([name, member]) => checks.get(name)?.(member) ?? false)
    );
  };
}

/** One value and no other. */
export function literal(...allowed: (string | number)[]): Check {
  return (value) => allowed.includes(value as string | number);
}

/** 1 to `most` characters, none of them a control character. */
export function text(most: number): Check {
  return (value) =>
    typeof value === "string" && value.length > 0 && value.length <= most && !/\p{Cc}/u.test(value);
}

/** Strict base64url of `least` to `most` bytes. */
export function base64url(least: number, most = least): Check {
  return (value) => {
    if (typeof value !== "string" || value.length > 2 * most + 4) return false;
    try {
      const { length } = decodeBase64url(value);
      return length >= least && length <= most;
    } catch {
      return false;
    }
  };
}

/** An integer from 0 up; with NumericDate (RFC 7519 §2) in mind: whole seconds. */
export const count: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;

/** An array of 1 to `most` items. */
export function list(item: Check, most: number): Check {
  return (value) => Array.isArray(value) && value.length > 0 && value.length <= most && value.every(item);
}
