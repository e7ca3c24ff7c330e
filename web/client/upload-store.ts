/** Where uploads wait for the network, and what is kept of each: ciphertext, and what is public about it. By the host, since hosts differ in what they can keep. */

import type { Listed, Part } from "#protocol/contract/index.ts";
import { CofferError, type ErrorCode } from "#protocol/error.ts";
import type { ContentName } from "./belonging.ts";

/** An upload that waits. Its name is in the sealed metadata alone. */
export interface WaitingUpload {
  id: string;
  account: string;
  /** When it was sealed, milliseconds since the epoch. */
  created: number;
  /** Bytes of ciphertext. */
  size: number;
  /** The sealed metadata message. */
  metadata: Uint8Array<ArrayBuffer>;
  content: ContentName;
  /** The copy of its metadata for the list, once there is one. */
  listed?: Listed;
  /** The parts that the datastore has taken, once it has all. */
  parts?: Part[];
  /** The datastore was asked to complete it: it may be stored. */
  asked?: true;
  /** Why it is not sent again by itself. */
  refused?: ErrorCode;
  /** The person has given it up where nobody could tell the datastore: it is deleted there instead of sent. */
  cancelled?: true;
}

/** What changes of a row; what is undefined goes. */
export type UploadChange = { [K in keyof WaitingUpload]?: WaitingUpload[K] | undefined };

/** What waits in one place at the most, of one person: bytes of ciphertext, and how many. */
export const QUEUE_BYTES = 256 << 20;
export const QUEUE_COUNT = 100;

/** Of one app and vault. `owner`: whose the rows are; nobody else sees them. */
export interface UploadStore {
  /** Oldest first. */
  rows(owner: string): Promise<WaitingUpload[]>;
  /** Both or neither. Error: `queue-full`, by what waits at that moment. */
  add(owner: string, row: WaitingUpload, content: Blob): Promise<void>;
  /** Changes this of the row as it is by now, since others may have changed it too; false where there is none any more. */
  update(owner: string, id: string, change: UploadChange): Promise<boolean>;
  content(owner: string, id: string): Promise<Blob | undefined>;
  /**
   * Answers the row as it was. `sent`: it is stored, as others here are told; one that was given up meanwhile stays. `unasked`: one that may be
   * stored stays.
   */
  remove(owner: string, id: string, as?: "sent" | "unasked"): Promise<WaitingUpload | undefined>;
  /** EDKs that no document has used, put by for when there is no network. */
  keys(owner: string, account: string): Promise<string[]>;
  /** Puts these by as well, and forgets those of `ended` that are there still. */
  keepKeys(owner: string, account: string, edks: readonly string[], ended?: readonly string[]): Promise<void>;
  /** One of them, which nobody gets again. */
  takeKey(owner: string, account: string): Promise<string | undefined>;
  /** Deletes all of this owner; without one, of everybody. */
  clear(owner?: string): Promise<void>;
  /** Does the work when nobody else sends from here. */
  alone<T>(work: () => Promise<T>): Promise<T>;
  /** Whether the host knows that there is no network; that it says nothing means nothing. */
  isAway?(): boolean;
  /** Calls when the network may be back, and when something else of this host has put something here. */
  onWake?(listener: () => void): void;
  /** Calls when something else of this host has changed what waits; with the id of what it has sent. */
  onChange?(listener: (sent?: string) => void): void;
}

/** Whether `remove` leaves this row: one that was given up, to who says `sent`; one that may be stored, to who says `unasked`. */
export function stays({ cancelled, asked }: WaitingUpload, as: "sent" | "unasked" | undefined): boolean {
  return (as === "sent" && cancelled === true) || (as === "unasked" && asked === true);
}

/** Error: `queue-full` where `size` bytes more are too many beside these rows. */
export function requireRoom(rows: readonly Pick<WaitingUpload, "size">[], size: number): void {
  const bytes = rows.reduce((sum, row) => sum + row.size, size);
  if (rows.length >= QUEUE_COUNT || bytes > QUEUE_BYTES) throw queueFull();
}

/** With its sentence, since nothing of this is loaded at the start. `cause`: the host's own refusal, where it has no room. */
export function queueFull(cause?: unknown): CofferError {
  const message = "Too much waits to be sent already. Connect to the network, or cancel what waits.";
  return new CofferError("queue-full", { message, cause });
}
