/** Seconds that a client may use what it knows of an object before it asks again; an Interval of 0 is without end. */
export const LEASE_TIME = 3600;

/** The shorter of two leases, of which one may be absent. */
export function shorterLease(one: number | undefined, other: number): number {
  if (one === undefined || one === 0) return other;
  return other === 0 ? one : Math.min(one, other);
}
