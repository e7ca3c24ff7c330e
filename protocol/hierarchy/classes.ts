/** The rungs of the key hierarchy: each key wraps keys of the next class (`POLICY.class`). */
export type KeyClass = "master" | "account" | "data";

/** Every key of the hierarchy, whatever its class. */
export const KEY = { cryptographicAlgorithm: "AES", cryptographicLength: 256 } as const;

/** What a key of each class may be used for, and no more. */
export const USAGE = {
  master: ["WrapKey", "UnwrapKey"],
  account: ["WrapKey", "UnwrapKey"],
  data: ["DeriveKey"],
} as const satisfies Record<KeyClass, readonly string[]>;

export function isKeyClass(text: string): text is KeyClass {
  return Object.hasOwn(USAGE, text);
}
