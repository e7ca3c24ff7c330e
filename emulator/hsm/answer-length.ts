import type { ResponseItem } from "#protocol/kmip/index.ts";

/** A number, a name, the head of an item. */
const SMALL = 16;

/** Bytes that an answer takes in TTLV, about. */
export function answerLength(answer: ResponseItem): number {
  return lengthOf(answer);
}

function lengthOf(value: unknown): number {
  if (typeof value === "string") return SMALL + value.length;
  if (value instanceof Uint8Array) return SMALL + value.length;
  if (typeof value === "bigint") return SMALL + value.toString(16).length / 2;
  if (Array.isArray(value)) return value.reduce((sum: number, one) => sum + lengthOf(one), SMALL);
  if (typeof value !== "object" || value === null || value instanceof Date) return SMALL;
  let sum = SMALL;
  for (const one of Object.values(value)) sum += lengthOf(one);
  return sum;
}
