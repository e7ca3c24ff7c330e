/** Reading and writing of a file as an app does it, with and without encryption: what a pipeline is compared with. */

import { join } from "#protocol/bytes.ts";
import { chunksOf } from "#protocol/chunks.ts";
import { sendParts } from "#web/client/parts.ts";
import { discard, timed } from "./measure.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const SLICE = 4 << 20;
/** As the kit sends documents. */
const PART = 8 << 20;
const IN_FLIGHT = 3;

/** A file in slices, the next one read ahead. */
export function slices(file: Blob, length = SLICE): ReadableStream<Bytes> {
  let at = 0;
  const read = () => {
    const slice = at < file.size ? file.slice(at, at + length).arrayBuffer() : undefined;
    at += length;
    return slice;
  };
  let ahead = read();
  return new ReadableStream<Bytes>(
    {
      async pull(controller) {
        const current = ahead;
        ahead = read();
        if (current) controller.enqueue(new Uint8Array(await current));
        else controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}

/** Only reads the file, in each way that browsers have; milliseconds of the best. */
export async function onlyRead(file: Blob): Promise<number> {
  const ways = [
    () => slices(file),
    () => slices(file, 1 << 20),
    () => file.stream() as ReadableStream<Bytes>,
  ];
  let best = Number.POSITIVE_INFINITY;
  for (const way of ways) best = Math.min(best, (await timed(() => discard(way()))).ms);
  return best;
}

/** Writes to a file of the origin's own, a slice at a time: each write is a call of another process, and a frame's start has 16 bytes. */
export async function toOpfs(stream: ReadableStream<Bytes>): Promise<void> {
  const folder = await navigator.storage.getDirectory();
  const handle = await folder.getFileHandle("written", { create: true });
  const writable = await handle.createWritable();
  for await (const chunk of inSlices(stream)) await writable.write(chunk);
  await writable.close();
  await folder.removeEntry("written");
}

async function* inSlices(stream: ReadableStream<Bytes>): AsyncGenerator<Bytes> {
  let held: Bytes[] = [];
  let length = 0;
  for await (const chunk of chunksOf(stream)) {
    held.push(chunk);
    length += chunk.length;
    if (length < SLICE) continue;
    yield held.length === 1 ? chunk : join(held);
    held = [];
    length = 0;
  }
  if (length > 0) yield join(held);
}

/** Sends to a server that throws it away, in parts as the kit does. */
export async function toServer(stream: ReadableStream<Bytes>): Promise<void> {
  await sendParts(stream, {
    partSize: PART,
    inFlight: IN_FLIGHT,
    async send(part, body, signal) {
      const answer = await fetch("/discard", { method: "POST", body, signal });
      if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
      return { part, etag: "" };
    },
  });
}
