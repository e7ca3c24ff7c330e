/** Several documents as one ZIP, put together as it is saved: one document is open at a time, and of that a few frames. */

import type { Coffer, Document, ProgressListener } from "#web/browser/index.ts";
import { NameNumbers, numbered } from "./free-name.ts";
import type { Saved } from "./save.ts";

/** A document with its name. */
type Named = Document & { metadata: NonNullable<Document["metadata"]> };

export function isNamed(document: Document): document is Named {
  return document.metadata !== undefined;
}

/** `Coffer 2026-11-30.zip`. */
export function zipName(now: Date): string {
  const [year, month, day] = [now.getFullYear(), now.getMonth() + 1, now.getDate()].map((each) =>
    String(each).padStart(2, "0"),
  );
  return `Coffer ${year}-${month}-${day}.zip`;
}

/** Where each is in it: in the folder that it came from, and no two under one name, on systems that know no case either. */
export function pathsIn(documents: readonly Named[]): string[] {
  const taken = new Set<string>();
  const numbers = new NameNumbers();
  return documents.map(({ metadata: { name, folder } }) => {
    const wanted = folder ? `${folder}/${name}` : name;
    for (;;) {
      const path = numbered(wanted, numbers.next(wanted));
      const known = path.toLowerCase();
      if (taken.has(known)) continue;
      taken.add(known);
      return path;
    }
  });
}

/** The nearest time that a ZIP can say: local, of the years 1980 to 2107 (APPNOTE 4.4.6). */
export function zipTime(time: number): Date {
  const first = new Date(1980, 0, 1).getTime();
  const last = new Date(2107, 11, 31, 23, 59, 58).getTime();
  return new Date(Math.min(Math.max(time, first), last));
}

/** Opens one after the other as it is read; errs when one does not open, or is not complete. */
export async function zipOf(
  coffer: Pick<Coffer, "open">,
  documents: readonly Named[],
  { name, signal, onProgress }: { name: string; signal: AbortSignal; onProgress: ProgressListener },
): Promise<Saved> {
  const { makeZip } = await import("client-zip");
  const total = documents.reduce((sum, { metadata }) => sum + metadata.size, 0);
  const paths = pathsIn(documents);
  async function* files() {
    let before = 0;
    for (const [at, { id, account, metadata }] of documents.entries()) {
      const opened = await coffer.open(id, {
        account,
        signal,
        onProgress: ({ step, bytes }) => onProgress({ step, bytes: before + bytes, total }),
      });
      before += metadata.size;
      const { modified, size } = opened;
      const lastModified = zipTime(modified ?? Date.now());
      yield { name: paths[at] ?? opened.name, input: opened.stream, lastModified, size };
    }
  }
  const stream = makeZip(files()) as ReadableStream<Uint8Array<ArrayBuffer>>;
  return { name, stream, blob: () => new Response(stream).blob() };
}
