/**
 * When a part of the rotation moves its next account. The rotation does not see the requests of users, but what slows them slows it
 * too: it has a set share of the time, so that it goes slower by as much as its own work takes longer, and its parts take turns.
 */
import { PARTS } from "./accounts.ts";

/** All parts together work for one of so many milliseconds, and one. */
const REST = 4;

/** An account of one part was begun and ended then: until when that part rests. Milliseconds since 1970. */
export function restedAt(began: number, ended: number): number {
  return ended + REST * PARTS * (ended - began);
}

/**
 * The first moment from `earliest` on that is this part's. `interval`: from one of its moments to the next, in milliseconds; those of
 * the next part come a sixteenth of it later.
 */
export function turnOf(part: number, interval: number, earliest: number): number {
  const first = (part * interval) / PARTS;
  return Math.ceil(first + interval * Math.ceil((earliest - first) / interval));
}
