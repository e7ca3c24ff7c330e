/**
 * What an instance does on the ladder, told to those who watch it: every message and every key, in order, by names. No
 * bytes of a key pass here, encrypted ones neither, and no token.
 */
export type Step =
  | ({ step: "ask" | "get" } & Message)
  | { step: "decrypt" | "drop"; what: KeyName; account?: string; key?: string }
  /** At start-up. */
  | { step: "read"; what: "app-specific key" }
  /** Of a custodian, to seal or to open. */
  | { step: "receive"; what: "data" | "document"; account: string }
  | { step: "encrypt"; what: "data"; account: string }
  | { step: "decrypt"; what: "document"; account: string };

/** To KMS or IAM. `key`: `<keyId>.<keyVersion>` of a data key, the id of an account key or master key. */
export type Message = { whom: "KMS" | "IAM"; what: What; account?: string; key?: string };

/** `second layer`: the master key once more, for keys that are derived from it (W14). */
export type KeyName = "master key" | "account key" | "data key" | "second layer";
type What = KeyName | "new account key" | "new data key" | "key identifier" | "data keys" | "token";

export type Watch = (step: Step) => void;
