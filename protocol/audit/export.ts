/**
 * An export of a tenant's audit: NDJSON, one line each for what it is (`export`), the trust list, the signed roots by size,
 * the log's leaves, then each chain by source: its links in order, each signed head of earlier releases after its link.
 * The last line counts those before it, so that one that is cut off is seen as such.
 */

import { parseJson } from "../json.ts";
import {
  base64url,
  compactJws,
  fits,
  line,
  literal,
  object,
  type Shape,
  text,
  union,
  whole,
} from "../shape.ts";
import type { Link } from "./chain.ts";
import { MAX_SOURCE } from "./checkpoint.ts";
import { AuditError } from "./error.ts";

/** The source that the log knows the one chain of earlier releases by; its entries are of all sources. */
export const EARLIER = "audit/earlier";

/** Characters of a line, and of an entry in it. */
const MAX_LINE = 128 * 1024;
const MAX_ENTRY = 48 * 1024;

export type ExportLine =
  | { kind: "export"; version: 1; tenant: string }
  | { kind: "trust"; list: string }
  | { kind: "root"; jws: string }
  | { kind: "leaf"; entry: string }
  | { kind: "chain"; source: string }
  | { kind: "head"; jws: string }
  | { kind: "end"; lines: number };

const exportLine: Shape<ExportLine> = union("kind", {
  export: object({ kind: literal("export"), version: literal(1), tenant: line(63) }),
  trust: object({ kind: literal("trust"), list: compactJws(8 * 1024) }),
  root: object({ kind: literal("root"), jws: compactJws(8 * 1024) }),
  leaf: object({ kind: literal("leaf"), entry: text(2, 8 * 1024) }),
  chain: object({ kind: literal("chain"), source: line(MAX_SOURCE) }),
  head: object({ kind: literal("head"), jws: compactJws(8 * 1024) }),
  end: object({ kind: literal("end"), lines: whole(0) }),
});

const link: Shape<Link> = object({
  sequence: whole(1),
  previous: base64url(32),
  entry: text(2, MAX_ENTRY),
  hash: base64url(32),
});

/** Links are as they lie in segments: without a kind. */
export function isLink(parsed: ExportLine | Link): parsed is Link {
  return !("kind" in parsed);
}

/** Throws `AuditError`. */
export function parseLine(written: string): ExportLine | Link {
  let value: unknown;
  try {
    value = parseJson(written);
  } catch {
    throw new AuditError("audit-malformed", "A line of the export is not JSON");
  }
  if (fits(link, value) || fits(exportLine, value)) return value;
  throw new AuditError("audit-malformed", "A line of the export is of no known kind");
}

/** The lines of a stream, of bounded length, without what follows the last line feed. Throws `AuditError`. */
export async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let rest = "";
  for await (const chunk of bytes) {
    rest += decode(decoder, chunk);
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > MAX_LINE) throw new AuditError("audit-malformed", "A line of the export is too long");
    yield* lines;
  }
  if (rest !== "") throw new AuditError("audit-truncated", "The export ends within a line");
}

function decode(decoder: TextDecoder, chunk: Uint8Array): string {
  try {
    return decoder.decode(chunk, { stream: true });
  } catch {
    throw new AuditError("audit-malformed", "The export is not UTF-8");
  }
}
