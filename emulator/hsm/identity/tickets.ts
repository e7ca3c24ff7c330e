import { createHash } from "node:crypto";
import { encodeHex } from "#protocol/bytes.ts";
import { KmipError } from "#protocol/kmip/index.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What a ticket is to stand for (KMIP 2.1 §7.39 Ticket). */
export interface Terms {
  identity: string;
  /** The identity of the channel that asked for it: a login's ticket is worth nothing on another. */
  channel?: string;
  /** Requests that it is still good for. */
  requests?: number;
  expires?: Date;
  /** Of a delegated ticket: what its bearer may do; everything where it has no rights. */
  rights?: readonly Right[];
}

/** What a ticket stands for, from its Login to its end. */
export interface Session extends Terms {
  /** The hash of the ticket: answers that wait and operations that are open belong to it. */
  readonly id: string;
}

/** Operations, and the objects that they are for; everything where it does not say (KMIP 2.1 §7.35 Rights). */
export interface Right {
  operations?: ReadonlySet<string>;
  objects?: ReadonlySet<string>;
}

/** The rights of a session that are for an operation: none where it may not be done. */
export function rightsTo({ rights = [{}] }: Session, operation: string): readonly Right[] {
  return rights.filter(({ operations }) => operations?.has(operation) ?? true);
}

/** The objects that an operation may be done with; undefined where it may be any. */
export function objectsFor(session: Session, operation: string): ReadonlySet<string> | undefined {
  const sets = rightsTo(session, operation).map(({ objects }) => objects);
  return sets.includes(undefined) ? undefined : new Set(sets.flatMap((objects) => [...(objects ?? [])]));
}

/** Tickets that there are at once, and those of one identity. */
const MAX_TICKETS = 1024;
const MAX_TICKETS_OF_ONE = 64;

/**
 * The tickets that Login gave: in memory, by the hash of their value, so that a restart ends them. Where there are too
 * many, the oldest goes of the one who has most: nobody's Logins deny them to others.
 */
export class Tickets {
  #sessions = new Map<string, Session>();

  /** Keeps a session and returns the value of its ticket (32 random bytes). */
  issue(terms: Terms, now: Date, random: (length: number) => Bytes): Bytes {
    for (const [name, { expires }] of this.#sessions)
      if (expires && expires <= now) this.#sessions.delete(name);
    this.#makeRoom(terms.identity);
    const value = random(32);
    const id = nameOf(value);
    this.#sessions.set(id, { ...terms, id });
    return value;
  }

  /** One more of an identity's will then be within the bounds. */
  #makeRoom(identity: string): void {
    const counts = new Map<string, number>();
    for (const one of this.#sessions.values()) counts.set(one.identity, (counts.get(one.identity) ?? 0) + 1);
    const own = counts.get(identity) ?? 0;
    if (own < MAX_TICKETS_OF_ONE && this.#sessions.size < MAX_TICKETS) return;
    let busiest = identity;
    if (own < MAX_TICKETS_OF_ONE)
      for (const [one, count] of counts) if (count > (counts.get(busiest) ?? 0)) busiest = one;
    // In the order in which they were issued.
    for (const [name, one] of this.#sessions)
      if (one.identity === busiest) {
        this.#sessions.delete(name);
        return;
      }
  }

  /**
   * The session of a ticket, with this request counted. Throws `UsageLimitExceeded` when no request is left, and
   * `InvalidTicket` for whatever else is wrong with it.
   */
  redeem(value: Uint8Array, channel: string, now: Date): Session {
    const session = this.#sessions.get(nameOf(value));
    if (
      !session ||
      !this.lives(session, now) ||
      (session.channel !== undefined && session.channel !== channel)
    )
      throw new KmipError("InvalidTicket", "The ticket is not valid");
    if (session.requests === 0) throw new KmipError("UsageLimitExceeded", "The ticket is used up");
    if (session.requests !== undefined) session.requests--;
    return session;
  }

  /** Whether the ticket of a session was neither revoked nor displaced, and has not expired. */
  lives({ id }: Session, now: Date): boolean {
    const session = this.#sessions.get(id);
    return session !== undefined && (!session.expires || now < session.expires);
  }

  revoke(value: Uint8Array): void {
    this.#sessions.delete(nameOf(value));
  }

  /** Whether the value is that of the session's own ticket. */
  isOf(value: Uint8Array, { id }: Session): boolean {
    return nameOf(value) === id;
  }
}

function nameOf(value: Uint8Array): string {
  return encodeHex(new Uint8Array(createHash("sha256").update(value).digest()));
}
