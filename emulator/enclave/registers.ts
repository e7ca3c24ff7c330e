import { createHash } from "node:crypto";
import { concat } from "#protocol/bytes.ts";

/** Registers of an enclave: those below are the platform's, the others the code's own. */
const COUNT = 32;
const PLATFORM = 16;
const LENGTH = 48;

/**
 * Measurement registers of an enclave, SHA-384 each, zero at the start: what is extended cannot be taken back, what is
 * locked not be extended. The platform extends and locks 0 to 15, and so do `extend` and `lock` refuse them.
 */
export class Registers {
  readonly #values = Array.from({ length: COUNT }, () => new Uint8Array(LENGTH));
  readonly #locked = new Set<number>();

  /** `measured`: what the platform measured, by register below 16. */
  constructor(measured: ReadonlyMap<number, Uint8Array>) {
    for (const [index, data] of measured) this.#extend(index, data);
    for (let index = 0; index < PLATFORM; index++) this.#locked.add(index);
  }

  /** Replaces a register by SHA-384 over its value and the data. Returns the new value, 48 bytes. */
  extend(index: number, data: Uint8Array): Uint8Array {
    this.#checkOpen(index);
    return this.#extend(index, data).slice();
  }

  /** Nothing extends it any more, and evidence tells of it. */
  lock(index: number): void {
    this.#checkOpen(index);
    this.#locked.add(index);
  }

  /** What a register holds now, 48 bytes. */
  value(index: number): Uint8Array {
    return this.#at(index).slice();
  }

  /** Those that evidence tells of: the locked ones. */
  locked(): Map<number, Uint8Array> {
    return new Map(
      [...this.#locked].toSorted((a, b) => a - b).map((index) => [index, this.#at(index).slice()]),
    );
  }

  #extend(index: number, data: Uint8Array): Uint8Array {
    const extended = createHash("sha384")
      .update(concat(this.#at(index), data))
      .digest();
    this.#values[index] = new Uint8Array(extended);
    return this.#at(index);
  }

  #at(index: number): Uint8Array {
    const value = this.#values[index];
    if (!value) throw new RangeError("no such register");
    return value;
  }

  #checkOpen(index: number): void {
    this.#at(index);
    if (this.#locked.has(index)) throw new Error("the register is locked");
  }
}
