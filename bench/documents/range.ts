/** Parts of a large sealed document over HTTP, beside the same parts of a file that is not sealed. */

import { httpSource, type OpenOptions, openRanged } from "#protocol/envelope/index.ts";

/** Bytes that are read, and from how many places. */
const LENGTH = 100_000;
const PLACES = 20;

/** Milliseconds of a part, header included, of a plain range of as many bytes, and the most bytes that were fetched for one. */
export type RangeTimes = { sealed: number[]; plain: number[]; fetched: number };

/** Reads parts of the message at `url`, whose plaintext has `size` bytes; each as one who knows nothing of the message yet. */
export async function readParts(url: string, size: number, options: OpenOptions): Promise<RangeTimes> {
  const times: RangeTimes = { sealed: [], plain: [], fetched: 0 };
  for (let place = 0; place < PLACES; place++) {
    const start = Math.floor(((place + 0.5) / PLACES) * (size - LENGTH));
    const range = `bytes=${start}-${start + LENGTH - 1}`;
    let began = performance.now();
    const plain = await (await fetch(url, { headers: { range } })).arrayBuffer();
    times.plain.push(performance.now() - began);

    let fetched = 0;
    const source = httpSource(url, {
      async fetch(url, init) {
        const response = await fetch(url, init);
        fetched += Number(response.headers.get("content-length"));
        return response;
      },
    });
    began = performance.now();
    const part = await openRanged(source, options)
      .slice(start, start + LENGTH)
      .arrayBuffer();
    times.sealed.push(performance.now() - began);
    if (plain.byteLength !== LENGTH || part.byteLength !== LENGTH)
      throw new Error("a part of another length");
    times.fetched = Math.max(times.fetched, fetched);
  }
  return times;
}
