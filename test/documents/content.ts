/** Content made on the spot, the same at every run, and its digest. Neither ever holds a whole file. */

import { createCipheriv, createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline } from "node:stream/promises";

const PIECE = 1 << 20;

/** Writes `size` bytes that no compression shortens (AES-CTR of zeros under a fixed key); answers their SHA-256 in hex. */
export async function writeRandomFile(path: string, size: number): Promise<string> {
  if (!(size > 0)) throw new RangeError(`a file of ${size} bytes`);
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, 7), Buffer.alloc(16));
  const hash = createHash("sha256");
  const file = await open(path, "w");
  try {
    const zeros = Buffer.alloc(PIECE);
    for (let at = 0; at < size; at += PIECE) {
      const piece = cipher.update(zeros.subarray(0, Math.min(PIECE, size - at)));
      hash.update(piece);
      await file.write(piece);
    }
  } finally {
    await file.close();
  }
  return hash.digest("hex");
}

/** SHA-256 of a file, in hex. */
export async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: PIECE }), hash);
  return hash.digest("hex");
}
