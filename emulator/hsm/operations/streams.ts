import { encodeHex } from "#protocol/bytes.ts";
import type { Claims } from "#protocol/evidence/index.ts";
import { KmipError } from "#protocol/kmip/index.ts";

/** An operation whose data comes in several requests (KMIP 2.1 §7.17 Init Indicator to §7.14 Final Indicator). */
export interface Stream {
  /** The session or the identity that began it. */
  holder: string;
  operation: string;
  /** The key that it uses, where it uses one. */
  uid?: string;
  state: unknown;
  /** The attestation with which it was begun, or the last that came with a piece. */
  attested?: Attested;
}

/** Evidence, and the identity of the channel that it is of. */
export interface Attested {
  evidence: Claims;
  channel: string;
}

interface Open extends Stream {
  touched: number;
}

/** Streams that one holder may have open, and how long (ms) one may wait for its next piece. */
const MAX_STREAMS = 64;
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
    const others = [...this.#open.values()].filter(({ holder }) => holder === stream.holder);
    if (others.length >= MAX_STREAMS) throw new KmipError("GeneralFailure", "Too many operations are open");
    const correlation = random(16);
    this.#open.set(encodeHex(correlation), { ...stream, touched: now.getTime() });
    return correlation;
  }

  /**
   * Takes a stream out, for its next piece. It is gone then, whatever becomes of the piece, unless `keep` puts it back:
   * a stream that failed cannot go on. Throws for one that is not of this holder, operation and key.
   */
  take(correlation: Uint8Array, holder: string, operation: string, now: Date): Stream {
    this.#forget(now);
    const name = encodeHex(correlation);
    const stream = this.#open.get(name);
    if (!stream || stream.holder !== holder || stream.operation !== operation)
      throw new KmipError("InvalidCorrelationValue", "No such operation is open");
    this.#open.delete(name);
    return stream;
  }

  /**
   * The evidence with which a stream goes on. Attestation is asked for by the operation, and the pieces are one
   * operation (KMIP 2.1 §7.8 Correlation Value), so that what the first has shown serves the others: of the same holder and
   * channel, with the same key, and as long as the evidence lives.
   */
  evidence(
    correlation: Uint8Array,
    {
      holder,
      operation,
      uid,
      channel,
    }: Pick<Stream, "holder" | "operation" | "uid"> & Pick<Attested, "channel">,
    now: Date,
  ): Claims | undefined {
    const stream = this.#open.get(encodeHex(correlation));
    if (!stream || stream.holder !== holder || stream.operation !== operation || stream.uid !== uid)
      return undefined;
    const { attested } = stream;
    return attested && attested.channel === channel && now.getTime() < attested.evidence.expires
      ? attested.evidence
      : undefined;
  }

  keep(correlation: Uint8Array, stream: Stream, now: Date): void {
    this.#open.set(encodeHex(correlation), { ...stream, touched: now.getTime() });
  }

  #forget(now: Date): void {
    for (const [name, { touched }] of this.#open)
      if (now.getTime() - touched > PATIENCE) this.#open.delete(name);
  }
}
