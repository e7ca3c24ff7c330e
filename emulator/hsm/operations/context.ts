import type { AttestationType, ProtocolVersion } from "#protocol/kmip/index.ts";
import type { Metering } from "../crypto/derivation.ts";
import type { Seeding } from "../crypto/random.ts";
import type { Attestation } from "../identity/attestation.ts";
import type { Session, Tickets } from "../identity/tickets.ts";
import type { Subject } from "../policy/access.ts";
import type { Work } from "../store/work.ts";
import type { Groups } from "./groups.ts";
import type { Pending } from "./pending.ts";
import type { References } from "./references.ts";
import type { Streams } from "./streams.ts";

/** What a handler works with, for one item of a batch. What it calls takes the parts that it needs. */
export type Context = Asker & Clock & Randomness & Store & Kept & Effort;

/** Who asks, and how. */
export interface Asker {
  subject: Subject;
  version: ProtocolVersion;
  /** The identity of the channel; the subject's may come from a credential. */
  channel: string;
  /** What the subject came by, where it was a ticket. */
  session?: Session;
  /**
   * To whom answers that wait and operations that are open belong: the session, whose rights they were asked for with;
   * without a ticket, the identity.
   */
  holder: string;
  /** The objects that a delegated ticket is for; all where it does not say. */
  objects?: ReadonlySet<string>;
  /** What the client has shown of itself in this message, and the types of evidence that are accepted. */
  attestation: Attestation;
  attestationTypes: readonly AttestationType[];
  /** Whether the client reads a bare wrapped key only as a structure. */
  structuredKeyValues: boolean;
  /** Whether the client is PyKMIP's (`pykmip.ts`). */
  pykmip: boolean;
}

/** When the item is done. */
export interface Clock {
  now: Date;
}

export interface Randomness {
  /** That many random bytes. */
  random: (length: number) => Uint8Array<ArrayBuffer>;
  /** What becomes of seeds, and how one is mixed in. */
  seeding: Seeding;
  seed: (data: Uint8Array) => void;
}

/** The objects as this item sees them. */
export interface Store {
  work: Work;
  /** What earlier items of the batch made: by the name of a Unique Identifier enumeration, and in order. */
  references: References;
  /** Whether the item is one of a batch that is to be undone as a whole. */
  undoable: boolean;
  /** The longest lease (s); 0 is without end. */
  leaseTime: number;
}

/** What outlives the message. */
export interface Kept {
  tickets: Tickets;
  /** Answers that wait to be asked for. */
  pending: Pending;
  groups: Groups;
  /** Operations whose data comes in pieces. */
  streams: Streams;
}

/** What work costs, and whose turn it is. */
export interface Effort extends Metering {
  /** Something to await where others are to have their turn before this goes on. */
  turnOver: () => Promise<void> | undefined;
}
