import { encodeHex } from "#protocol/bytes.ts";
import { KmipError } from "#protocol/kmip/index.ts";

/** An operation whose data comes in several requests (KMIP 2.1 §6.1.16, Init Indicator to Final Indicator). */
export interface Stream {
  identity: string;
  operation: string;
  /** The key that it uses, where it uses one. */
  uid?: string;
  state: unknown;
}

interface Open extends Stream {
  touched: number;
}

/** Streams that one identity may have open, and how long (ms) one may wait for its next piece. */
const MOST = 64;
const PATIENCE = 10 * 60_000;

/** The open streams, by Correlation Value: in memory, so that a restart ends them. */
export class Streams {
  #open = new Map<string, Open>();

  /** Keeps a stream and returns its Correlation Value (16 random bytes). */
  open(
    stream: Stream,
    now: Date,
    random: (length: number) => Uint8Array<ArrayBuffer>,
  ): Uint8Array<ArrayBuffer> {
    this.#forget(now);
    const others = [...this.#open.values()].filter(({ identity }) => identity === stream.identity);
    if (others.length >= MOST) throw new KmipError("GeneralFailure", "Too many operations are open");
    const correlation = random(16);
    this.#open.set(encodeHex(correlation), { ...stream, touched: now.getTime() });
    return correlation;
  }

  /**
   * Takes a stream out, for its next piece. It is gone then, whatever becomes of the piece, unless `keep` puts it back:
   * a stream that failed cannot go on. Throws for one that is not of this identity, operation and key.
   */
  take(correlation: Uint8Array, identity: string, operation: string, now: Date): Stream {
    this.#forget(now);
    const name = encodeHex(correlation);
    const stream = this.#open.get(name);
    if (!stream || stream.identity !== identity || stream.operation !== operation)
      throw new KmipError("InvalidCorrelationValue", "No such operation is open");
    this.#open.delete(name);
    return stream;
  }

  keep(correlation: Uint8Array, stream: Stream, now: Date): void {
    this.#open.set(encodeHex(correlation), { ...stream, touched: now.getTime() });
  }

  #forget(now: Date): void {
    for (const [name, { touched }] of this.#open)
      if (now.getTime() - touched > PATIENCE) this.#open.delete(name);
  }
}
