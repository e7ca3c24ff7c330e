import { createHmac, randomBytes } from "node:crypto";
import { xor } from "./xor.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What becomes of the seeds that clients bring (KMIP 2.1 §6.1.50 RNG Seed). */
export type Seeding = "mixed" | "partial" | "ignored" | "refused";

/**
 * The HSM's randomness: that of the operating system, with what clients seed mixed in. A seed can only add to it: each
 * output is the system's, combined with a stream that the seeds determine.
 */
export class SeededRandom {
  #system: (length: number) => Bytes;
  #pool: Uint8Array | undefined;
  #counter = 0;

  constructor(system: (length: number) => Bytes) {
    this.#system = system;
  }

  seed(data: Uint8Array): void {
    const fresh = this.#system(32);
    this.#pool = createHmac("sha256", fresh)
      .update(this.#pool ?? "")
      .update(data)
      .digest();
  }

  take(length: number): Bytes {
    const bytes = this.#system(length);
    const pool = this.#pool;
    if (!pool) return bytes;
    const blocks: Buffer[] = [];
    for (let made = 0; made < length; made += 32)
      blocks.push(
        createHmac("sha256", pool)
          .update(`${this.#counter++}`)
          .digest(),
      );
    return new Uint8Array(xor(bytes, Buffer.concat(blocks, length)));
  }
}

const AHEAD = 4096;
let ahead = new Uint8Array();
let used = 0;

/** Bytes of the operating system's randomness, fetched ahead: asking for a few takes as long as for thousands. */
export function systemRandom(length: number): Bytes {
  if (length > AHEAD / 16) return new Uint8Array(randomBytes(length));
  if (used + length > ahead.length) {
    ahead = new Uint8Array(randomBytes(AHEAD));
    used = 0;
  }
  const bytes = ahead.slice(used, used + length);
  ahead.fill(0, used, used + length);
  used += length;
  return bytes;
}
