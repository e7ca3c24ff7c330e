/** A number, a name, the head of an item. */
const SMALL = 16;

/** Bytes that an answer, or a part of one, takes in TTLV, about. */
export function answerLength(part: unknown): number {
  if (typeof part === "string" || part instanceof Uint8Array) return SMALL + part.length;
  if (typeof part === "bigint") return SMALL + part.toString(16).length / 2;
  if (typeof part !== "object" || part === null || part instanceof Date) return SMALL;
  let sum = SMALL;
  for (const one of Object.values(part)) sum += answerLength(one);
  return sum;
}
