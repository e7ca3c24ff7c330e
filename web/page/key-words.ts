/** Words for how keys are wrapped, by the names that their formats have for it. */

import type { Words } from "./words.ts";

/** On its way into the vault. */
export const WRAPPINGS: Readonly<Record<string, Words>> = {
  "RSA-OAEP": "RSA-OAEP to the vault's wrapping key",
  hybrid: "X25519 and ML-KEM-768 to the vault's hybrid keys",
};

/** At rest. */
export const UNDER: Readonly<Record<string, Words>> = {
  A256KW: "AES Key Wrap under the account key",
  "RSA-OAEP-256": "RSA-OAEP to the account key",
  A256GCM: "AES-GCM under the account key",
  "RSA-OAEP-256+A256GCM": "AES-GCM under a key that is wrapped to the account key",
  A256KWP: "AES Key Wrap with Padding under the master key",
  "RSA-OAEP-256-L": "RSA-OAEP to the master key",
  retained: "kept by the KMS, not by the document",
  resident: "lives in the HSM",
  "aws-kms": "encrypted by AWS KMS",
  seed: "nowhere: it is made of your seed again",
};

/** The first digits of a key's name, and its version: enough to tell keys apart. */
export function shortKey(key: string): string {
  const [id = "", version] = key.split(".");
  return version === undefined ? id.slice(0, 8) : `${id.slice(0, 8)}.${version}`;
}
