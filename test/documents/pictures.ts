/** The recorded pictures of the page's views, and what a new one differs from them by. */

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Picture, readPng, writePng } from "./png.ts";

const RECORDED = fileURLToPath(new URL("recorded", import.meta.url));
/** Major version of the Chromium that has drawn them. */
const CHROMIUM = join(RECORDED, "chromium");
const DIFFERENCES = fileURLToPath(new URL("../../screenshots/differences", import.meta.url));
/** Pixels along the side of a square of which the mean is recorded. */
const CELL = 2;
/** Steps of a channel that are told apart in what is recorded. */
const STEP = 8;
/** How far a channel of a cell may be off, of 255: more than rounding and another processor's edges of letters make. */
const OFF = 20;
/** Cells that may be off by more. */
const CELLS = 10;

export function recordedBy(): string | undefined {
  return existsSync(CHROMIUM) ? readFileSync(CHROMIUM, "utf8").trim() : undefined;
}

export function record(name: string, screenshot: Buffer, chromium: string): void {
  mkdirSync(RECORDED, { recursive: true });
  writeFileSync(CHROMIUM, `${chromium}\n`);
  writeFileSync(join(RECORDED, `${name}.png`), writePng(reduced(readPng(screenshot))));
}

/** What is different, in words; undefined for nothing. Then picture, recorded one and difference are written for eyes, under the name. */
export function differenceOf(name: string, screenshot: Buffer): string | undefined {
  const files = ["new", "recorded", "difference"].map((what) => join(DIFFERENCES, `${name}-${what}.png`));
  for (const file of files) rmSync(file, { force: true });
  const path = join(RECORDED, `${name}.png`);
  const now = reduced(readPng(screenshot));
  const before = existsSync(path) ? readPng(readFileSync(path)) : undefined;
  const cells = before && differing(before, now);
  if (cells && cells.length <= CELLS) return undefined;
  mkdirSync(DIFFERENCES, { recursive: true });
  writeFileSync(files[0]!, screenshot);
  const accept = "If it is meant: npm run screenshots -- --record";
  if (!before) return `there is no recorded picture to hold it against. ${accept}`;
  writeFileSync(files[1]!, readFileSync(path));
  if (!cells) return `another size than the recorded one. ${accept}`;
  writeFileSync(files[2]!, writePng(marked(now, cells)));
  const rows = cells.map((cell) => Math.floor(cell / now.width) * CELL);
  const where = `between ${Math.min(...rows)} and ${Math.max(...rows) + CELL} pixels from the top`;
  return `${cells.length * CELL * CELL} pixels differ, ${where}: see ${DIFFERENCES}. ${accept}`;
}

/** The mean of each cell, in steps. What is left over at the right and at the bottom is left out. */
export function reduced({ width, height, rgb }: Picture): Picture {
  const small = { width: Math.floor(width / CELL), height: Math.floor(height / CELL) };
  const out = new Uint8Array(small.width * small.height * 3);
  for (let y = 0; y < small.height; y++)
    for (let x = 0; x < small.width; x++)
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        for (let dy = 0; dy < CELL; dy++)
          for (let dx = 0; dx < CELL; dx++)
            sum += rgb[((y * CELL + dy) * width + x * CELL + dx) * 3 + channel]!;
        const mean = sum / CELL ** 2;
        out[(y * small.width + x) * 3 + channel] = Math.min(255, Math.round(mean / STEP) * STEP);
      }
  return { ...small, rgb: out };
}

/** The cells that are off; undefined where one is of another size. */
export function differing(before: Picture, now: Picture): number[] | undefined {
  if (before.width !== now.width || before.height !== now.height) return undefined;
  const cells: number[] = [];
  for (let cell = 0; cell < now.width * now.height; cell++)
    if (
      [0, 1, 2].some(
        (channel) => Math.abs(before.rgb[cell * 3 + channel]! - now.rgb[cell * 3 + channel]!) > OFF,
      )
    )
      cells.push(cell);
  return cells;
}

/** The picture, faint, with these cells in red. */
function marked({ width, height, rgb }: Picture, cells: readonly number[]): Picture {
  const out = rgb.map((value) => 255 - ((255 - value) >> 2));
  for (const cell of cells) out.set([220, 0, 0], cell * 3);
  return { width, height, rgb: out };
}
