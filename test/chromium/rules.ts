/** Promise 2 as rules on recorded calls: no plaintext key byte in JavaScript memory, no key handle across a port. */

import type { Call, KeySummary, Recorded } from "./recorder.ts";

/** The ESDK's label of the key commitment, in hexadecimal. */
const COMMITKEY = Buffer.from("COMMITKEY").toString("hex");

/** What a call did against the promise, in a sentence; nothing of its bytes. */
export type Violation = { realm: string; method: string; rule: string };

/** Methods whose output is key material whatever they are given. */
const NEVER = ["deriveBits", "wrapKey", "encapsulateBits", "decapsulateBits"];

/**
 * Every rule that the calls break. `secrets`: what passkeys gave (hexadecimal), where instance keys were kept under them: the exception to
 * the promise that has a name (M4).
 */
export function violations(calls: Call[], secrets: readonly string[] = []): Violation[] {
  return calls
    .filter((call) => secrets.length === 0 || !keepsInstanceKeys(call, secrets))
    .flatMap((call) => broken(call).map((rule) => ({ realm: call.realm, method: call.method, rule })));
}

/** What a passkey gave, as the vault's document handed it to its Worker: hexadecimal, none twice. */
export function passkeySecrets(calls: Call[]): string[] {
  const found = calls.flatMap(({ realm, method, to, args: [message] }) => {
    const { type, secret } = (message ?? {}) as { type?: string; secret?: { output?: { hex?: string } } };
    const handed =
      realm === "iframe" && method === "postMessage" && to === "Worker" && type === "coffer-answer";
    return handed && secret?.output?.hex ? [secret.output.hex] : [];
  });
  return [...new Set(found)];
}

/** Private keys of an instance, and their one usage. */
const INSTANCE_KEYS: Readonly<Record<string, string>> = {
  ECDSA: "sign",
  "RSA-OAEP": "unwrapKey",
  X25519: "deriveKey",
  "ML-KEM-768": "decapsulateKey",
};

/**
 * In the Worker alone: a pair of an instance is made extractable, its private half wrapped at once under a key that wraps and unwraps and
 * does nothing else, and the passkey's secret becomes a key that derives.
 */
export function keepsInstanceKeys(
  { realm, method, args, result }: Call,
  secrets: readonly string[],
): boolean {
  if (realm !== "worker") return false;
  const [key] = keysIn(result);
  if (method === "generateKey")
    return (
      key?.type === "private" && key.extractable && INSTANCE_KEYS[key.algorithm.name] === key.usages.join()
    );
  if (method === "wrapKey") {
    const [format, wrapped, by] = [args[0], keyOf(args[1]), keyOf(args[2])];
    const wraps = by?.algorithm.name === "AES-GCM" && [...by.usages].sort().join() === "unwrapKey,wrapKey";
    return format === "pkcs8" && wrapped?.type === "private" && wraps && !by.extractable;
  }
  if (method !== "importKey" || key?.algorithm.name !== "HKDF") return false;
  const { hex = "" } = (args[1] ?? {}) as { hex?: string };
  return secrets.includes(hex) && key.usages.join() === "deriveKey";
}

function broken(call: Call): string[] {
  const { method, args, result } = call;
  const rules: string[] = [];
  if (call.carriesKey) rules.push("a CryptoKey crosses a message port");
  if (method === "unreportable") rules.push("a call that could not be recorded");
  if (NEVER.includes(method) && !isSeedDigest(call)) rules.push(`${method} gives key material to JavaScript`);
  if (method === "importKey" && isSecretImport(call))
    rules.push("a secret or private key imported from bytes");
  if (method === "exportKey" && !mayExport(keyOf(args[1]))) rules.push("a secret or private key exported");
  // Frames are AES-GCM; whatever else is decrypted could be a key.
  if (method === "decrypt" && keyOf(args[1])?.algorithm.name !== "AES-GCM") {
    rules.push("a wrapped key decrypted into JavaScript memory instead of unwrapped");
  }
  // An HMAC or KMAC is a derivation by another name.
  if (method === "sign" && keyOf(args[1])?.algorithm.name !== "ECDSA") {
    rules.push("a MAC, which can serve as a key, comes out into JavaScript memory");
  }
  for (const key of keysIn(result)) {
    if (key.type === "public") continue;
    // What a digest is taken of comes from the person, never from a key.
    if (key.algorithm.name === "PBKDF2" && method !== "importKey") rules.push(`${method} made a PBKDF2 key`);
    if (key.extractable && !(isCommitment(key) && derivesCommitment(call)))
      rules.push(`${method} made an extractable ${key.algorithm.name} key`);
    if (key.algorithm.name === "RSA-OAEP" && key.usages.some((usage) => usage !== "unwrapKey")) {
      rules.push(`${method} made a wrapping key that can do more than unwrap`);
    }
  }
  return rules;
}

/** The one exportable key: HMAC, holds the public commitment value. */
function isCommitment({ type, algorithm }: KeySummary): boolean {
  return type === "secret" && algorithm.name === "HMAC";
}

/** Made by HKDF under the label of the commitment and no other: under another one the same call gives the message key. */
function derivesCommitment({ method, args: [algorithm, , derived] }: Call): boolean {
  const { name, info } = (algorithm ?? {}) as { name?: string; info?: { hex?: string } };
  const { length } = (derived ?? {}) as { length?: number };
  return method === "deriveKey" && name === "HKDF" && info?.hex === COMMITKEY && length === 256;
}

/** Of a seed, which is the custodian's own secret and no key (M9): PBKDF2 with the rounds of its digest. */
function isSeedDigest({ method, args: [algorithm, key] }: Call): boolean {
  const { name, iterations } = (algorithm ?? {}) as { name?: string; iterations?: number };
  return (
    method === "deriveBits" &&
    name === "PBKDF2" &&
    iterations === 600_000 &&
    keyOf(key ?? null)?.algorithm.name === "PBKDF2"
  );
}

function mayExport(key: KeySummary | undefined): boolean {
  return key !== undefined && (key.type === "public" || isCommitment(key));
}

function isSecretImport({ args: [format, data, algorithm], result }: Call): boolean {
  const [key] = keysIn(result);
  // A seed as it is digested: it derives bits, and never a key.
  if (key?.algorithm.name === "PBKDF2" && key.usages.join() === "deriveBits") return false;
  if (key) return key.type !== "public";
  // It failed: judged by what was tried.
  if (format === "pkcs8") return true;
  if (format === "jwk") return typeof data === "object" && data !== null && ("d" in data || "k" in data);
  const name =
    typeof algorithm === "string" ? algorithm : ((algorithm as { name?: string } | null)?.name ?? "");
  return /^raw/.test(String(format)) && /^(AES|HMAC|HKDF|PBKDF2|ChaCha)/i.test(name);
}

function keyOf(value: Recorded): KeySummary | undefined {
  return typeof value === "object" && value !== null && "key" in value
    ? (value.key as KeySummary)
    : undefined;
}

/** The key or the two keys of a pair in a result. */
function keysIn(value: Recorded): KeySummary[] {
  const own = keyOf(value);
  if (own) return [own];
  if (typeof value !== "object" || value === null) return [];
  const pair = value as { privateKey?: Recorded; publicKey?: Recorded };
  return [keyOf(pair.privateKey), keyOf(pair.publicKey)].filter((key) => key !== undefined);
}

/** All bytes that went into or came out of the calls, one after the other, for a scan. */
export function bytesOf(calls: Call[]): Buffer {
  const found: Buffer[] = [];
  const visit = (value: unknown) => {
    if (typeof value === "string") found.push(Buffer.from(value));
    if (typeof value !== "object" || value === null) return;
    if ("hex" in value && typeof value.hex === "string") found.push(Buffer.from(value.hex, "hex"));
    for (const inner of Object.values(value)) visit(inner);
  };
  for (const { args, result } of calls) visit([args, result]);
  return Buffer.concat(found.flatMap((bytes) => [bytes, Buffer.of(0)]));
}
