import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** Files of test vectors (https://github.com/C2SP/wycheproof, `testvectors_v1` and the older `testvectors`). */

export interface Vector {
  tcId: number;
  comment: string;
  flags?: string[];
  result: "valid" | "invalid" | "acceptable";
  [field: string]: unknown;
}

export interface Group {
  type: string;
  tests: Vector[];
  [field: string]: unknown;
}

export interface VectorFile {
  algorithm: string;
  numberOfTests: number;
  testGroups: Group[];
}

type Bytes = Uint8Array<ArrayBuffer>;

/** All vector files at that path and below, in order. */
export function findFiles(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith("_test.json"))
    .toSorted()
    .map((name) => join(path, name));
}

/** Throws where the file has another number of tests than it says. */
export function readVectors(path: string): VectorFile {
  const file = JSON.parse(readFileSync(path, "utf8")) as VectorFile;
  const count = file.testGroups.reduce((sum, { tests }) => sum + tests.length, 0);
  if (count === 0 || count !== file.numberOfTests)
    throw new Error(`${path} has ${count} tests and says ${file.numberOfTests}`);
  return file;
}

/** A field that holds bytes as hexadecimal text. */
export function bytesOf(from: Record<string, unknown>, field: string): Bytes {
  const text = from[field];
  if (typeof text !== "string" || !/^([0-9a-f]{2})*$/i.test(text))
    throw new Error(`${field} is no hexadecimal text`);
  return new Uint8Array(Buffer.from(text, "hex"));
}

/** A field that holds a number as hexadecimal text. */
export function numberOf(from: Record<string, unknown>, field: string): bigint {
  const text = from[field];
  if (typeof text !== "string") throw new Error(`${field} is no number`);
  return BigInt(`0x${text}`);
}

export function textOf(from: Record<string, unknown>, field: string): string {
  const text = from[field];
  if (typeof text !== "string") throw new Error(`${field} is no text`);
  return text;
}
