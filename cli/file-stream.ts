import { open } from "node:fs/promises";

/** Read in pieces of this many bytes: a frame is 256 KiB, and larger reads cost less each. */
const PIECE = 1024 * 1024;

/**
 * A file as a stream of fresh buffers, which may be transferred. (Node's file-backed Blobs cannot pass a message port.)
 * Reads when asked, so memory stays bounded.
 */
export function fileStream(path: string): ReadableStream<Uint8Array<ArrayBuffer>> {
  const opened = open(path, "r");
  return new ReadableStream(
    {
      async pull(controller) {
        const file = await opened;
        const piece = new Uint8Array(PIECE);
        const { bytesRead } = await file.read(piece, 0, PIECE);
        if (bytesRead > 0) return controller.enqueue(piece.subarray(0, bytesRead));
        await file.close();
        controller.close();
      },
      async cancel() {
        await (await opened).close();
      },
    },
    { highWaterMark: 0 },
  );
}
