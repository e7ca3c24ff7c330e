/** The interface that the KMS needs from what holds a tenant's keys, and the refusal of one that keeps less than is asked for. */

import type { Assurance, BackEndSettings } from "#protocol/hierarchy/index.ts";
import { lacking } from "#protocol/hierarchy/index.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** The back end keeps or offers less than is asked for. `message` is for the operator's log; it names no key. */
export class BackEndRefused extends Error {
  override readonly name = "BackEndRefused";
}

/** Keys go to attested recipients alone, and what was shown of this one does not do. `message` is for the operator's log. */
export class AttestationRefused extends Error {
  override readonly name = "AttestationRefused";
}

/** What a back end is, as it says and as it has shown. */
export type Standing = {
  /** For the audit log: `kmip/1.2`, for example. */
  name: string;
  keeps: readonly Assurance[];
};

/** A data key as the EDK has it: wrapped under the account key, or the reference by which the back end finds or opens it. */
export type Archived<W extends string> = { wrapping: W; wrappedKey: Bytes };

/**
 * A back end for data keys. `Order` and `Key`: what it is given; `To`: whom a key is wrapped to; `Wrapping`: how the EDK
 * says that its key stands. It is never asked for a
 * key in clear, and an answer that has one is refused.
 */
export interface BackEnd<Order, Key, To, Wrapping extends string> {
  /** Throws `BackEndRefused` where it keeps less than the tenant asks for. */
  standing(): Promise<Standing>;
  /** Whether the keys that it makes live in it, each an object of its own, until it is told that one has ended. */
  holdsKeys(): Promise<boolean>;
  /** New data keys, 256 bits each, made inside. */
  makeDataKeys(order: Order): Promise<Archived<Wrapping>[]>;
  /** Each wrapped to the recipient, inside, in the order of the keys. */
  release(keys: readonly Key[], to: To): Promise<Bytes[]>;
}

/** Throws `BackEndRefused` unless the back end keeps all that the tenant has not said it goes without. */
export function checkStanding(
  { name, keeps }: Standing,
  { without }: Pick<BackEndSettings, "without">,
): void {
  const refused = lacking(keeps).filter((assurance) => !without.includes(assurance));
  if (refused.length > 0)
    throw new BackEndRefused(
      `${name} does not keep ${refused.join(", ")}, and the tenant has not said that it goes without`,
    );
}
