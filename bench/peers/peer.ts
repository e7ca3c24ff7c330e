/** What is compared: libraries that seal and open bytes, each used as its documentation has it for large data. */

import { type Times, timed } from "../documents/measure.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

export interface Peer {
  /** Ciphertext, in the pieces in which the library gives it. */
  seal(bytes: Bytes): Promise<Bytes[]>;
  /** Plaintext of what `seal` gave; of one that opens by its server alone, none. */
  open?(message: Bytes[]): Promise<Bytes[]>;
}

/** Bytes that a library that streams gets at a time. */
const PIECE = 1 << 20;

export function inPieces(bytes: Bytes, length = PIECE): Bytes[] {
  return Array.from({ length: Math.ceil(bytes.length / length) }, (_, i) =>
    bytes.subarray(i * length, (i + 1) * length),
  );
}

export function streamOf(pieces: Bytes[]): ReadableStream<Bytes> {
  let next = 0;
  return new ReadableStream({
    pull(controller) {
      const piece = pieces[next++];
      if (piece) controller.enqueue(piece);
      else controller.close();
    },
  });
}

const lengthOf = (pieces: Bytes[]) => pieces.reduce((sum, { length }) => sum + length, 0);

/** Milliseconds of `NAME/seal` and `NAME/open`, one library after the other on the same bytes. */
export async function turn(bytes: Bytes, peers: Record<string, Peer>): Promise<Times> {
  const times: Times = {};
  for (const [name, peer] of Object.entries(peers)) {
    const message = await timed(() => peer.seal(bytes));
    times[`${name}/seal`] = message.ms;
    const { open } = peer;
    if (!open) continue;
    const plain = await timed(() => open(message.value));
    if (lengthOf(plain.value) !== bytes.length) throw new Error(`${name} gives another length`);
    times[`${name}/open`] = plain.ms;
  }
  return times;
}
