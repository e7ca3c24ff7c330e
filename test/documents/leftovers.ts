/** What an interrupted upload could leave behind at the edge: in the datastore's table and in the bucket. */

import { readRows } from "../system/index.ts";

export type Leftovers = {
  /** Documents that are neither complete nor gone, by state. */
  documents: string[];
  /** Multipart uploads that still hold parts. */
  uploads: string[];
  /** Keys of objects that belong to no complete document. */
  objects: string[];
};

/** Reads the datastore's table and the tables of Miniflare's R2 below the edge's folder. */
export function leftovers(edgeDir: string): Leftovers {
  const documents = readRows(edgeDir, "documents");
  const complete = new Set(documents.filter(({ state }) => state === "complete").map(({ id }) => String(id)));
  const objects = readRows(edgeDir, "_mf_objects").map(({ key }) => String(key));
  return {
    documents: documents.filter(({ state }) => state !== "complete").map(({ state }) => String(state)),
    // State 0: begun, and neither completed nor aborted.
    uploads: readRows(edgeDir, "_mf_multipart_uploads")
      .filter(({ state }) => state === 0)
      .map(({ key }) => String(key)),
    objects: objects.filter((key) => !complete.has(key.split("/")[2] ?? "")),
  };
}
