/**
 * When a part of the rotation moves its next account. The rotation does not see the requests of users, but what slows them slows it
 * too: it has a set share of the time, so that it goes slower by as much as its own work takes longer, and its parts take turns.
 */
import { PARTS } from "./accounts.ts";

/** A part rests for so many times as long as its work took, times the number of parts: all together have a little less than a quarter of the time. */
const REST = 4;
/** A part rests for so many intervals at most, however long one account took: it may have been its object that woke. */
const LONGEST = 32;
/** And, where that is less, for so many times as long as its work took. */
const LEAST = 2;

/** An account of one part was begun and ended then: until when that part rests. `interval` as for `turnOf`. Milliseconds since 1970. */
export function restedAt(began: number, ended: number, interval: number): number {
  const took = ended - began;
  return ended + Math.max(LEAST * took, Math.min(REST * PARTS * took, LONGEST * interval));
}

/**
 * The first moment from `earliest` on that is this part's. `interval`: from one of its moments to the next, in milliseconds; those of
 * the next part come a sixteenth of it later.
 */
export function turnOf(part: number, interval: number, earliest: number): number {
  const first = (part * interval) / PARTS;
  return Math.ceil(first + interval * Math.ceil((earliest - first) / interval));
}
