/** A video of any length in bytes, made in the browser that plays it: VP8 frames by WebCodecs, in clusters that an index points to. */

import type { Page } from "playwright";

/** Seconds that a cluster lasts; one frame each. */
const STEP = 1;

/**
 * A WebM of one frame a second, each after `padding` bytes of nothing. `page` shows a page of a secure origin. Elements by
 * the numbers of RFC 9559, sizes and clusters in full, so that a player seeks by the index at its beginning.
 */
export async function webm(page: Page, seconds: number, padding: number): Promise<Uint8Array<ArrayBuffer>> {
  const frames = await encode(page, seconds);
  const clusters = frames.map((frame, second) =>
    Buffer.concat([
      element(0x1f43b675, [
        number(0xe7, second * STEP * 1000),
        // Track 1, no offset, a key frame.
        element(0xa3, [Buffer.from([0x81, 0, 0, 0x80]), frame]),
      ]),
      element(0xec, [Buffer.alloc(padding)]),
    ]),
  );
  const info = element(0x1549a966, [
    number(0x2ad7b1, 1_000_000),
    float(0x4489, seconds * STEP * 1000),
    text(0x4d80, "coffer"),
    text(0x5741, "coffer"),
  ]);
  const track = element(0x1654ae6b, [
    element(0xae, [
      number(0xd7, 1),
      number(0x73c5, 1),
      number(0x83, 1),
      text(0x86, "V_VP8"),
      element(0xe0, [number(0xb0, 64), number(0xba, 48)]),
    ]),
  ]);
  // Places count from the first byte within the segment; the index has one length whatever they are.
  const indexLength = cues(clusters.map(() => 0)).length;
  let at = info.length + track.length + indexLength;
  const places = clusters.map(({ length }) => {
    const place = at;
    at += length;
    return place;
  });
  const header = element(0x1a45dfa3, [
    text(0x4282, "webm"),
    number(0x4287, 2),
    number(0x4285, 2),
    number(0x42f7, 1),
    number(0x42f2, 4),
    number(0x42f3, 8),
  ]);
  return new Uint8Array(
    Buffer.concat([header, element(0x18538067, [info, track, cues(places), ...clusters])]),
  );
}

function cues(places: number[]): Buffer {
  const point = (place: number, second: number) =>
    element(0xbb, [
      number(0xb3, second * STEP * 1000),
      element(0xb7, [number(0xf7, 1), number(0xf1, place)]),
    ]);
  return element(0x1c53bb6b, places.map(point));
}

/** Four bytes of id at most, eight of length. */
function element(id: number, parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const name = Buffer.from(id.toString(16), "hex");
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(body.length) | (1n << 56n));
  return Buffer.concat([name, length, body]);
}

function number(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return element(id, [bytes]);
}

function float(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return element(id, [bytes]);
}

const text = (id: number, value: string) => element(id, [Buffer.from(value)]);

type Chunk = { byteLength: number; copyTo(bytes: Uint8Array): void };
type Encoder = {
  configure(config: object): void;
  encode(frame: object, options: object): void;
  flush(): Promise<void>;
};
type Codecs = {
  VideoEncoder: new (to: { output(chunk: Chunk): void; error(error: unknown): void }) => Encoder;
  VideoFrame: new (source: OffscreenCanvas, options: object) => { close(): void };
};

/** One key frame a second, each of another grey. */
async function encode(page: Page, seconds: number): Promise<Buffer[]> {
  const frames = await page.evaluate(async (count) => {
    const { VideoEncoder, VideoFrame } = globalThis as unknown as Codecs;
    const encoded: number[][] = [];
    const encoder = new VideoEncoder({
      output(chunk) {
        const bytes = new Uint8Array(chunk.byteLength);
        chunk.copyTo(bytes);
        encoded.push([...bytes]);
      },
      error: (error) => console.error(error),
    });
    encoder.configure({ codec: "vp8", width: 64, height: 48 });
    const canvas = new OffscreenCanvas(64, 48);
    const drawn = canvas.getContext("2d")!;
    for (let second = 0; second < count; second++) {
      const grey = Math.round((second / count) * 255);
      drawn.fillStyle = `rgb(${grey} ${grey} ${grey})`;
      drawn.fillRect(0, 0, 64, 48);
      const frame = new VideoFrame(canvas, { timestamp: second * 1_000_000 });
      encoder.encode(frame, { keyFrame: true });
      frame.close();
    }
    await encoder.flush();
    return encoded;
  }, seconds);
  return frames.map((bytes) => Buffer.from(bytes));
}
