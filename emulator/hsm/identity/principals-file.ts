import type { ClientHash } from "#kmip-node/client-hash.ts";
import type { ClientHashAlgorithm } from "#kmip-node/index.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { parseJson } from "#protocol/json.ts";
import { decodeBase32, encodeBase32 } from "./one-time-password.ts";
import { isPasswordHash } from "./password-hash.ts";
import { checkPrincipals, DEVICE_FIELDS, type Device, type Principal } from "./principals.ts";

/**
 * The file that names those who come with credentials: JSON, `{"principals": [{"name": …, "password": …}]}`. Passwords
 * are salted scrypt hashes. A one-time password's secret (base32) and the hashes of Hashed Password have to be there as
 * they are, so that the file is for the server alone. An entry of the kind `certificate` says of whom a certificate names
 * which groups they are in, as entries of others may.
 */

/** Reads the file's text. Throws `TypeError` with a sentence that says which entry is wrong, and what is. */
export function parsePrincipals(text: string): Principal[] {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw new TypeError("it is not JSON", { cause });
  }
  const { principals, ...others } = isObject(value) ? value : {};
  if (!Array.isArray(principals) || Object.keys(others).length > 0)
    throw new TypeError('it must be {"principals": [...]} and nothing else');
  const read = principals.map((entry: unknown, index) => {
    const name = isObject(entry) && typeof entry.name === "string" ? ` ('${entry.name}')` : "";
    return because(`entry ${index + 1}${name}`, () => {
      const principal = principalIn(entry);
      checkPrincipals([principal]);
      return principal;
    });
  });
  checkPrincipals(read);
  return read;
}

/** The text of a file with these principals. */
export function formatPrincipals(principals: readonly Principal[]): string {
  return `${JSON.stringify({ principals: principals.map(entryOf) }, null, 2)}\n`;
}

function entryOf({ name, kind, groups, password, clientHash, oneTimeSecret, device }: Principal): object {
  return {
    name,
    ...(kind ? { kind } : {}),
    ...(groups?.length ? { groups } : {}),
    ...(password === undefined ? {} : { password }),
    ...(clientHash ? { clientHash: mapValues(clientHash, textOf) } : {}),
    ...(oneTimeSecret ? { oneTimeSecret: encodeBase32(oneTimeSecret) } : {}),
    ...(device ? { device } : {}),
  };
}

function principalIn(entry: unknown): Principal {
  if (!isObject(entry)) throw new TypeError("it is not an object");
  const { name, kind, groups, password, clientHash, oneTimeSecret, device, ...others } = entry;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw new TypeError(`'${unknown}' is not known`);
  if (typeof name !== "string") throw new TypeError("the name is missing");
  if (kind !== undefined && kind !== "certificate") throw new TypeError("the kind is not 'certificate'");
  if (password !== undefined && !(typeof password === "string" && isPasswordHash(password)))
    throw new TypeError("the password is not a scrypt hash; a password itself must not be here");
  if (!kind && password === undefined && oneTimeSecret === undefined && clientHash === undefined)
    throw new TypeError("there is nothing to show: no password, no clientHash, no oneTimeSecret");
  return {
    name,
    ...(kind === undefined ? {} : { kind }),
    ...(groups === undefined ? {} : { groups: groupsIn(groups) }),
    ...(password === undefined ? {} : { password }),
    ...(clientHash === undefined ? {} : { clientHash: clientHashIn(clientHash) }),
    ...(oneTimeSecret === undefined ? {} : { oneTimeSecret: secretIn(oneTimeSecret) }),
    ...(device === undefined ? {} : { device: deviceIn(device) }),
  };
}

const HASH_LENGTHS = { SHA_256: 32, SHA_384: 48, SHA_512: 64 } as const satisfies Record<
  ClientHashAlgorithm,
  number
>;

function clientHashIn(value: unknown): Record<ClientHashAlgorithm, ClientHash> {
  const wrong = "the clientHash must have s1 and s2Hash for each of SHA_256, SHA_384 and SHA_512";
  if (!isObject(value) || Object.keys(value).length !== 3) throw new TypeError(wrong);
  return mapValues(HASH_LENGTHS, (length, algorithm) => {
    const pair = value[algorithm];
    const bytes = (field: "s1" | "s2Hash") => {
      const text = isObject(pair) ? pair[field] : undefined;
      const decoded = typeof text === "string" ? because(wrong, () => decodeBase64url(text)) : undefined;
      if (decoded?.length !== length) throw new TypeError(wrong);
      return decoded;
    };
    return { s1: bytes("s1"), s2Hash: bytes("s2Hash") };
  });
}

function secretIn(text: unknown): Uint8Array {
  const secret = typeof text === "string" ? decodeBase32(text) : undefined;
  if (!secret || secret.length < 16)
    throw new TypeError("the oneTimeSecret is not base32 of 16 bytes or more");
  return secret;
}

function deviceIn(value: unknown): Device {
  const fields: readonly string[] = DEVICE_FIELDS;
  const isDevice =
    isObject(value) &&
    Object.keys(value).length > 0 &&
    Object.entries(value).every(
      ([field, text]) => fields.includes(field) && typeof text === "string" && text,
    );
  if (!isDevice) throw new TypeError(`the device must have some of ${fields.join(", ")}, as text`);
  return value as Device;
}

function groupsIn(value: unknown): string[] {
  if (!Array.isArray(value) || !value.every((group) => typeof group === "string"))
    throw new TypeError("the groups are not a list of names");
  return value;
}

function textOf({ s1, s2Hash }: ClientHash): object {
  return { s1: encodeBase64url(s1), s2Hash: encodeBase64url(s2Hash) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function mapValues<K extends string, A, B>(
  record: Readonly<Record<K, A>>,
  change: (value: A, key: K) => B,
): Record<K, B> {
  const entries = Object.entries(record) as [K, A][];
  return Object.fromEntries(entries.map(([key, value]) => [key, change(value, key)])) as Record<K, B>;
}

/** Runs it; what is wrong then is said of `place`. */
function because<T>(place: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw new TypeError(`${place}: ${cause instanceof Error ? cause.message : "unknown"}`, { cause });
  }
}
