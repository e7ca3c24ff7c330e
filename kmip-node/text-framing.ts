import { join } from "#protocol/bytes.ts";
import { FramingError } from "./framing.ts";
import { gather } from "./gather.ts";

/**
 * Cuts a byte stream into JSON or XML messages. No profile defines these encodings without HTTPS; over bare TLS they
 * follow one another as they are, and end where their outermost object or element ends.
 */
export class TextFraming {
  #chunks: Uint8Array[] = [];
  #held = 0;
  #limit: number;
  #end: End;

  /** `root` is the element that ends an XML message. */
  constructor(encoding: "json" | "xml", root: "RequestMessage" | "ResponseMessage", limit: number) {
    this.#limit = limit;
    this.#end = encoding === "json" ? new JsonEnd() : new XmlEnd(root);
  }

  /** Takes a chunk, yields the messages that it completes; throws `FramingError`. Each byte is looked at once. */
  *push(chunk: Uint8Array): Generator<Uint8Array> {
    for (let rest = chunk; rest.length > 0; ) {
      const end = this.#end.find(rest);
      const part = end < 0 ? rest : rest.subarray(0, end);
      gather(this.#chunks, part);
      this.#held += part.length;
      if (this.#held > this.#limit) throw new FramingError("too-long");
      if (end < 0) return;
      yield join(this.#chunks.splice(0));
      this.#held = 0;
      rest = rest.subarray(end);
    }
  }
}

/** Looks for the end of a message, chunk by chunk; remembers how far it came. */
interface End {
  /** Index after the message in this chunk, or -1. */
  find(bytes: Uint8Array): number;
}

/** The end tag, which holds `<` at its beginning only. */
class XmlEnd implements End {
  #tag: Uint8Array;
  #matched = 0;

  constructor(root: string) {
    this.#tag = Buffer.from(`</${root}>`);
  }

  find(bytes: Uint8Array): number {
    for (let at = 0; at < bytes.length; at++) {
      if (bytes[at] === this.#tag[this.#matched]) this.#matched++;
      else this.#matched = bytes[at] === this.#tag[0] ? 1 : 0;
      if (this.#matched < this.#tag.length) continue;
      this.#matched = 0;
      return at + 1;
    }
    return -1;
  }
}

/** The brace that closes a JSON object. */
class JsonEnd implements End {
  #depth = 0;
  #string = false;
  #escaped = false;

  find(bytes: Uint8Array): number {
    let taken = 0;
    for (const byte of bytes) {
      taken++;
      if (this.#escaped) this.#escaped = false;
      else if (this.#string) {
        if (byte === 0x5c) this.#escaped = true;
        else if (byte === 0x22) this.#string = false;
      } else if (byte === 0x22) this.#string = true;
      else if (byte === 0x7b) this.#depth++;
      else if (byte === 0x7d && --this.#depth <= 0) {
        this.#depth = 0;
        return taken;
      }
    }
    return -1;
  }
}
