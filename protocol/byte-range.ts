/** First byte and number of bytes; `length` may reach beyond the end. */
export type ByteRange = { offset: number; length: number };

/**
 * One byte range of a Range header (RFC 9110 §14.1.2) for content of `size` bytes. Null: serve the whole (no header,
 * another unit, several ranges, or malformed: a server may ignore it). `"unsatisfiable"`: answer 416.
 */
export function parseRange(header: string | null, size: number): ByteRange | null | "unsatisfiable" {
  const match = /^bytes=(\d{0,16})-(\d{0,16})$/.exec(header ?? "");
  if (!match) return null;
  const [, first, last] = match;
  if (first === "") {
    if (last === "") return null;
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { offset: size - length, length };
  }
  const offset = Number(first);
  const end = last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== "" && Number(last) < offset) return null;
  return offset >= size ? "unsatisfiable" : { offset, length: end - offset + 1 };
}
