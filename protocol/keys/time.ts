import { JwsError } from "./jws.ts";

/** How far two honest clocks may differ, in seconds. Never applied to `exp`: a grace there would be a longer life. */
const SKEW = 60;

/** Refuses what is expired, comes from the future or expires before it begins. All in seconds since 1970. */
export function checkTime(times: { iat: number; exp?: number | undefined }, now: number): void {
  if (!Number.isFinite(now)) throw new JwsError("jws-expired", "no clock");
  if (times.iat > now + SKEW) throw new JwsError("jws-early", "issued in the future");
  if (times.exp !== undefined && (times.exp <= times.iat || now >= times.exp))
    throw new JwsError("jws-expired", "expired");
}
