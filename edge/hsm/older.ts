/** Requests as an older version of KMIP has them. What that lacks is left out where the tenant goes without it, and refused else. */

import type { Assurance } from "#protocol/hierarchy/index.ts";
import { AbsentInVersion, type ProtocolVersion } from "#protocol/kmip/index.ts";
import { BackEndRefused } from "./back-end.ts";
import { asNumber, SINCE_SENSITIVE } from "./standing.ts";

/**
 * What a server does not keep it is not told of, where a tenant goes without that: some refuse attributes that they do not know. Before
 * 1.4 RSA-OAEP has no mask generator of its own: what is wrapped with another than SHA-256's opens nowhere. `keeps`: null of one that
 * holds no tenant's keys.
 */
export function inVersion<T>(
  { version, keeps }: { version: ProtocolVersion; keeps: readonly Assurance[] | null },
  asked: T,
): T {
  const absent = new Set<string>();
  if (asNumber(version) < SINCE_SENSITIVE) for (const name of MASK) absent.add(name);
  if (keeps !== null && !keeps.includes("sensitive")) absent.add("sensitive");
  if (keeps !== null && !keeps.includes("release-policy")) absent.add("vendorAttributes");
  return absent.size === 0 ? asked : (without(absent, asked) as T);
}

const MASK = ["maskGenerator", "maskGeneratorHashingAlgorithm"];

function without(absent: ReadonlySet<string>, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((inner) => without(absent, inner));
  if (value === null || typeof value !== "object" || Object.getPrototypeOf(value) !== Object.prototype)
    return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) =>
      absent.has(name) ? [] : [[name, without(absent, inner)]],
    ),
  );
}

/** Runs it; what this version cannot say is not offered. */
export async function saidIn<T>({ major, minor }: ProtocolVersion, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof AbsentInVersion)) throw error;
    throw new BackEndRefused(`kmip/${major}.${minor} does not offer this: ${error.message}`, {
      cause: error,
    });
  }
}
