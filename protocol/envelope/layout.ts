/** Where the frames of a framed message lie, by arithmetic alone. */
import { MAX_FRAMES, overheadOf } from "./frame.ts";
import type { Header } from "./header.ts";

/** How a message is cut into frames, by its length: as trustworthy as that, until the final frame has verified. */
export type Layout = {
  /** Frames, the final one included; which is also the sequence number of that. */
  frames: number;
  /** Bytes of plaintext. */
  length: number;
};

/** What of a header says how the message is cut. */
type Cut = Pick<Header, "length" | "frameLength" | "layer">;

/** The layout of a message of `size` bytes; undefined where no message is that long. The inverse of `sealedLength`. */
export function layoutOf(header: Cut, size: number): Layout | undefined {
  const { frameLength } = header;
  const overhead = overheadOf(header);
  const body = size - header.length - overhead.final;
  const sealed = frameLength + overhead.regular;
  const regular = Math.floor(body / sealed);
  const last = body - regular * sealed;
  if (!Number.isSafeInteger(size) || body < 0 || last > frameLength || regular >= MAX_FRAMES)
    return undefined;
  return { frames: regular + 1, length: regular * frameLength + last };
}

/** Where in the message frame number `sequence` begins. */
export function frameOffset(header: Cut, sequence: number): number {
  return header.length + (sequence - 1) * (header.frameLength + overheadOf(header).regular);
}

/** The frames that a part of the plaintext needs. `last` is undefined where the final frame is among them. */
export type Frames = { first: number; last?: number };

/** Frames that hold the plaintext from `start` up to `end`; the final frame too where that is beyond it, as it alone says that nothing follows. */
export function framesOf(
  { frameLength }: Pick<Header, "frameLength">,
  { frames }: Layout,
  start: number,
  end: number,
): Frames {
  const first = Math.min(Math.floor(start / frameLength) + 1, frames);
  const last = Math.ceil(end / frameLength);
  return last < frames ? { first, last } : { first };
}
