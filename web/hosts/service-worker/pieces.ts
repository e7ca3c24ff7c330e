/** The Service Worker's end of a port at which a page gives pieces of a document. */

import { CofferError } from "#protocol/error.ts";
import type { PieceAnswer, PieceCall } from "#protocol/media.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Waiting = { length: number; resolve(bytes: Bytes): void; reject(error: unknown): void };

/** `onEnd` runs when the page says that it has ended. A piece of another length than asked for is `decrypt-failed`. */
export function pieces(
  port: MessagePort,
  onEnd: () => void,
): { read(start: number, end: number): Promise<Bytes>; close(): void } {
  const waiting = new Map<number, Waiting>();
  let last = 0;
  let closed = false;
  port.onmessage = ({ data }: MessageEvent<PieceAnswer | null>) => {
    if (data === null) return onEnd();
    const asked = waiting.get(data.call);
    waiting.delete(data.call);
    if ("code" in data) asked?.reject(new CofferError(data.code));
    else if (data.bytes.length !== asked?.length) asked?.reject(new CofferError("decrypt-failed"));
    else asked.resolve(data.bytes);
  };
  return {
    read: (start, end) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(new CofferError("not-found"));
        const call = ++last;
        waiting.set(call, { length: end - start, resolve, reject });
        port.postMessage({ call, start, end } satisfies PieceCall);
      }),
    close() {
      closed = true;
      port.close();
      for (const { reject } of waiting.values()) reject(new CofferError("not-found"));
      waiting.clear();
    },
  };
}
