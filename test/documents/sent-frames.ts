/** What has left of uploads, as the datastore's side sees it: under one message id a frame's number may stand for one ciphertext and tag alone. */

import { parseHeader, sealedLength } from "#protocol/envelope/index.ts";

/** Where the frames of a message lie. Frame 0 is the header, whose tag has a nonce too. */
type Message = { id: string; header: number; frame: number };
type Sent = { part: number; bytes: Buffer };

export class SentFrames {
  readonly #partSize: number;
  /** By upload. */
  readonly #messages = new Map<string, Message>();
  /** What came before the header of its message. */
  readonly #early = new Map<string, Sent[]>();
  /** The longest that was ever sent, by message, frame and place in the frame: parts end within frames, and a kill anywhere. */
  readonly #pieces = new Map<string, Buffer>();
  /** Frames that were sent as two, and messages that are of two uploads. */
  readonly reused: string[] = [];
  /** Frames, or pieces of them, that were sent another time. */
  again = 0;

  /** Each part but the last has `partSize` bytes. */
  constructor(partSize: number) {
    this.#partSize = partSize;
  }

  get messages(): string[] {
    return [...this.#messages.values()].map(({ id }) => id);
  }

  /** Takes as much of a part as was sent. */
  take(upload: string, part: number, bytes: Buffer): void {
    if (part === 1) this.#learn(upload, bytes);
    const message = this.#messages.get(upload);
    const early = this.#early.get(upload) ?? [];
    this.#early.set(upload, message ? [] : [...early, { part, bytes }]);
    if (!message) return;
    for (const sent of [...early, { part, bytes }]) this.#compare(message, sent);
  }

  /** Lets go of the bytes; what is known of its messages stays. */
  forget(): void {
    this.#pieces.clear();
    this.#early.clear();
  }

  #learn(upload: string, bytes: Buffer): void {
    if (this.#messages.has(upload)) return;
    const parsed = parseHeader(new Uint8Array(bytes));
    // Cut off within it.
    if (!parsed) return;
    const { length: header, frameLength, layer } = parsed;
    const id = Buffer.from(parsed.messageId).toString("hex");
    if (this.messages.includes(id)) this.reused.push(`${id} is the message of two uploads`);
    const lengthOf = (frames: number) => sealedLength(frames * frameLength, header, frameLength, layer);
    this.#messages.set(upload, { id, header, frame: lengthOf(2) - lengthOf(1) });
  }

  #compare({ id, header, frame }: Message, { part, bytes }: Sent): void {
    const begin = (part - 1) * this.#partSize;
    const end = begin + bytes.length;
    for (let at = begin; at < end; ) {
      const number = at < header ? 0 : Math.floor((at - header) / frame) + 1;
      const first = number === 0 ? 0 : header + (number - 1) * frame;
      const until = Math.min(end, number === 0 ? header : first + frame);
      this.#piece(`${id} ${number} ${at - first}`, bytes.subarray(at - begin, until - begin));
      at = until;
    }
  }

  #piece(name: string, bytes: Buffer): void {
    const known = this.#pieces.get(name);
    if (known) {
      this.again++;
      const both = Math.min(known.length, bytes.length);
      if (!known.subarray(0, both).equals(bytes.subarray(0, both))) this.reused.push(name);
    }
    if (!known || known.length < bytes.length) this.#pieces.set(name, bytes);
  }
}
