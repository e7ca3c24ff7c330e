/** How pictures are read, made small and held against each other. That the page looks as it was recorded, `views.test.ts` and its neighbours say. */

import { deflateSync } from "node:zlib";
import { expect, it } from "vitest";
import { differing, reduced } from "./pictures.ts";
import { type Picture, readPng, writePng } from "./png.ts";

function drawn(width: number, height: number, colour: (x: number, y: number) => number[]): Picture {
  const rgb = new Uint8Array(width * height * 3);
  for (let n = 0; n < width * height; n++) rgb.set(colour(n % width, Math.floor(n / width)), n * 3);
  return { width, height, rgb };
}

it.each([
  ["few", drawn(9, 5, (x, y) => [x, y, 200])],
  ["more than 256", drawn(40, 30, (x, y) => [x * 6, y * 8, x + y])],
])("writes a picture of %s colours and reads it again", (_, picture) => {
  expect(readPng(writePng(picture))).toEqual(picture);
});

it("reads each of the filters that a PNG has", () => {
  // Three pixels a line, of red, green, blue and alpha; each line is filtered in another way and says 10, 20, 30 and so on.
  const lines = [
    [0, 10, 20, 30, 255, 40, 50, 60, 255],
    [1, 10, 20, 30, 255, 30, 30, 30, 0],
    [2, 0, 0, 0, 0, 0, 0, 0, 0],
    [3, 5, 10, 15, 128, 15, 15, 15, 0],
    [4, 0, 0, 0, 0, 0, 0, 0, 0],
  ];
  const white = writePng(drawn(2, 5, () => [255, 255, 255]));
  const head = Buffer.from(white.subarray(0, 33));
  head[25] = 6;
  const data = deflateSync(Buffer.from(lines.flat()));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const png = Buffer.concat([head, length, Buffer.from("IDAT"), data, Buffer.alloc(4)]);
  expect([...readPng(png).rgb]).toEqual(Array.from({ length: 5 }, () => [10, 20, 30, 40, 50, 60]).flat());
});

it("sees a line that has moved by one pixel and a colour that is another, and no edge that is a little softer", () => {
  const line = (at: number, colour = 40) =>
    reduced(drawn(40, 40, (_, y) => (y === at ? [colour, colour, colour] : [250, 250, 250])));
  expect(differing(line(10), line(10))).toEqual([]);
  expect(differing(line(10), line(12))).toHaveLength(40);
  expect(differing(line(11), line(12))).toHaveLength(40);
  expect(differing(line(10), line(10, 60))).toEqual([]);
  expect(differing(line(10), line(10, 140))).toHaveLength(20);
  expect(differing(line(10), reduced(drawn(40, 42, () => [250, 250, 250])))).toBeUndefined();
});
