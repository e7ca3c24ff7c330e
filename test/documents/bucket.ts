/** What a datastore could do that serves other bytes than it was given: on the files in which Miniflare's R2 keeps them. */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readRows } from "../system/index.ts";

export type Stored = "content" | "metadata";

/** The bytes of a document as the bucket has them: small ones, of a single part. */
export function readStored(edgeDir: string, id: string, what: Stored): Buffer {
  return readFileSync(blobPath(edgeDir, id, what));
}

/** Puts other bytes of the same length in their place; the table of the bucket stays as it is. */
export function replaceStored(edgeDir: string, id: string, what: Stored, bytes: Uint8Array): void {
  const path = blobPath(edgeDir, id, what);
  if (readFileSync(path).length !== bytes.length) throw new Error("the bucket would notice another length");
  writeFileSync(path, bytes);
}

function blobPath(edgeDir: string, id: string, what: Stored): string {
  const object = readRows(edgeDir, "_mf_objects").find(({ key }) => String(key).endsWith(`/${id}/${what}`));
  const [part, ...more] = readRows(edgeDir, "_mf_multipart_parts").filter(
    ({ object_key }) => object_key === object?.key,
  );
  const blob = object?.blob_id ?? part?.blob_id;
  if (!object || typeof blob !== "string" || more.length > 0)
    throw new Error(`no single blob of ${id}/${what}`);
  const found = readdirSync(join(edgeDir, "r2"), { recursive: true, encoding: "utf8" }).find((path) =>
    path.endsWith(blob),
  );
  if (!found) throw new Error(`no file of blob ${blob}`);
  return join(edgeDir, "r2", found);
}
