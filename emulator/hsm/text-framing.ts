import { FramingError } from "./framing.ts";

/**
 * Cuts a byte stream into JSON or XML messages. No profile defines these encodings without HTTPS; over bare TLS they
 * follow one another as they are, and end where their outermost object or element ends.
 */
export class TextFraming {
  #held: Uint8Array = new Uint8Array();
  #limit: number;
  #find: (bytes: Uint8Array, from: number) => number;
  /** Where the search for the end goes on. */
  #seen = 0;

  /** `root` is the element that ends an XML message. */
  constructor(encoding: "json" | "xml", root: "RequestMessage" | "ResponseMessage", limit: number) {
    this.#limit = limit;
    const json = new JsonEnd();
    const end = Buffer.from(`</${root}>`);
    this.#find =
      encoding === "json"
        ? (bytes, from) => json.find(bytes, from)
        : (bytes, from) => {
            const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(
              end,
              Math.max(0, from - end.length),
            );
            return at < 0 ? -1 : at + end.length;
          };
  }

  /** Takes a chunk, yields the messages that it completes; throws `FramingError`. */
  *push(chunk: Uint8Array): Generator<Uint8Array> {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    for (;;) {
      const end = this.#find(this.#held, this.#seen);
      this.#seen = end < 0 ? this.#held.length : 0;
      if ((end < 0 ? this.#held.length : end) > this.#limit) throw new FramingError("message too long");
      if (end < 0) return;
      yield Uint8Array.from(this.#held.subarray(0, end));
      this.#held = this.#held.subarray(end);
    }
  }
}

/** Finds the brace that closes a JSON object; remembers how far it came. */
class JsonEnd {
  #depth = 0;
  #string = false;
  #escaped = false;

  /** Index after the object, or -1. */
  find(bytes: Uint8Array, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (this.#escaped) this.#escaped = false;
      else if (this.#string) {
        if (byte === 0x5c) this.#escaped = true;
        else if (byte === 0x22) this.#string = false;
      } else if (byte === 0x22) this.#string = true;
      else if (byte === 0x7b) this.#depth++;
      else if (byte === 0x7d && --this.#depth <= 0) {
        this.#depth = 0;
        return at + 1;
      }
    }
    return -1;
  }
}
