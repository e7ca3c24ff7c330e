/** PNG (Third Edition), as much of it as screenshots need: what Chromium writes is read, and pictures of few colours are written small. */

import { crc32, deflateSync, inflateSync } from "node:zlib";

export type Picture = {
  width: number;
  height: number;
  /** Red, green and blue of each pixel, a byte each, row by row. */
  rgb: Uint8Array;
};

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** Bytes of a pixel, by colour type (§11.2.1): true colour, a palette, true colour with alpha. */
const PIXEL: Readonly<Record<number, number>> = { 2: 3, 3: 1, 6: 4 };

/** Throws for what is no PNG of eight bits a channel that is not interlaced. */
export function readPng(bytes: Buffer): Picture {
  if (!bytes.subarray(0, 8).equals(SIGNATURE)) throw new Error("no PNG");
  let head = Buffer.alloc(13);
  let palette: Buffer = Buffer.alloc(0);
  const data: Buffer[] = [];
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString("latin1", at + 4, at + 8);
    const content = bytes.subarray(at + 8, at + 8 + length);
    if (type === "IHDR") head = Buffer.from(content);
    if (type === "PLTE") palette = content;
    if (type === "IDAT") data.push(content);
    at += 12 + length;
  }
  const [width, height] = [head.readUInt32BE(0), head.readUInt32BE(4)];
  const pixel = PIXEL[head[9]!];
  if (head[8] !== 8 || pixel === undefined || head[12] !== 0) throw new Error("a PNG of another kind");
  const lines = unfiltered(inflateSync(Buffer.concat(data)), width * pixel, pixel);
  const rgb = new Uint8Array(width * height * 3);
  for (let n = 0; n < width * height; n++) {
    const from = pixel === 1 ? palette.subarray(lines[n]! * 3) : lines.subarray(n * pixel);
    rgb.set(from.subarray(0, 3), n * 3);
  }
  return { width, height, rgb };
}

/** What the filters (§9) have made of the lines is taken back. */
function unfiltered(filtered: Buffer, line: number, pixel: number): Uint8Array {
  const height = filtered.length / (line + 1);
  const out = new Uint8Array(line * height);
  for (let y = 0; y < height; y++) {
    const filter = filtered[y * (line + 1)];
    for (let x = 0; x < line; x++) {
      const at = y * line + x;
      const left = x < pixel ? 0 : out[at - pixel]!;
      const up = y === 0 ? 0 : out[at - line]!;
      const corner = x < pixel || y === 0 ? 0 : out[at - line - pixel]!;
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter ?? 0] ?? 0;
      out[at] = filtered[y * (line + 1) + 1 + x]! + guess;
    }
  }
  return out;
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

/** With a palette where 256 colours are enough, else in true colour. */
export function writePng({ width, height, rgb }: Picture): Buffer {
  const colours = new Map<number, number>();
  const indexes = new Uint8Array(width * height);
  for (let n = 0; n < indexes.length; n++) {
    const colour = (rgb[n * 3]! << 16) | (rgb[n * 3 + 1]! << 8) | rgb[n * 3 + 2]!;
    const index = colours.get(colour) ?? colours.size;
    colours.set(colour, index);
    indexes[n] = index;
  }
  const few = colours.size <= 256;
  const [pixels, line] = few ? [indexes, width] : [rgb, width * 3];
  const lines = Buffer.alloc((line + 1) * height);
  for (let y = 0; y < height; y++) lines.set(pixels.subarray(y * line, (y + 1) * line), y * (line + 1) + 1);
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, few ? 3 : 2], 8);
  const palette = Buffer.from([...colours.keys()].flatMap((one) => [one >> 16, (one >> 8) & 255, one & 255]));
  return Buffer.concat([
    SIGNATURE,
    chunk("IHDR", head),
    ...(few ? [chunk("PLTE", palette)] : []),
    chunk("IDAT", deflateSync(lines, { level: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(type: string, content: Buffer): Buffer {
  const out = Buffer.alloc(12 + content.length);
  out.writeUInt32BE(content.length, 0);
  out.write(type, 4, "latin1");
  out.set(content, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + content.length)), 8 + content.length);
  return out;
}
