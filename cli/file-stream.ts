import type { BigIntStats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { CofferError } from "#protocol/error.ts";

/** Read in pieces of this many bytes: a frame is 256 KiB, and larger reads cost less each. */
const PIECE = 1024 * 1024;

/**
 * A file as a stream of fresh buffers, which may be transferred. (Node's file-backed Blobs cannot pass a message port.)
 * Reads when asked, so memory stays bounded. It errs rather than ends when the file was changed meanwhile, as what was
 * read may then be neither what it was nor what it is: `source-changed`.
 */
export function fileStream(path: string): ReadableStream<Uint8Array<ArrayBuffer>> {
  const opened = openFile(path);
  // A failure is seen by the one who reads; until then it must not count as unhandled.
  opened.catch(() => {});
  let read = 0n;
  return new ReadableStream(
    {
      async pull(controller) {
        const { file, before } = await opened;
        try {
          const piece = new Uint8Array(PIECE);
          const { bytesRead } = await file.read(piece, 0, PIECE);
          read += BigInt(bytesRead);
          if (bytesRead > 0 && read <= before.size) return controller.enqueue(piece.subarray(0, bytesRead));
          const after = await file.stat({ bigint: true });
          if (read !== before.size || !same(before, after)) throw new CofferError("source-changed");
        } catch (error) {
          await file.close().catch(() => {});
          throw error;
        }
        await file.close();
        controller.close();
      },
      async cancel() {
        await (await opened).file.close();
      },
    },
    { highWaterMark: 0 },
  );
}

async function openFile(path: string): Promise<{ file: FileHandle; before: BigIntStats }> {
  const file = await open(path, "r");
  return { file, before: await file.stat({ bigint: true }) };
}

/** ctime too: anyone who can write can set mtime back, but nobody can set ctime. */
function same(before: BigIntStats, after: BigIntStats): boolean {
  return (["size", "mtimeNs", "ctimeNs"] as const).every((field) => before[field] === after[field]);
}
