import { CLOCK_TOLERANCE } from "../clock.ts";
import { JwsError } from "./jws.ts";

/** Refuses what is expired, comes from the future or expires before it begins. All in seconds since 1970. */
export function checkTime(times: { iat: number; exp?: number | undefined }, now: number): void {
  if (!Number.isFinite(now)) throw new JwsError("jws-expired", "no clock");
  if (!(times.iat <= now + CLOCK_TOLERANCE)) throw new JwsError("jws-early", "issued in the future");
  if (times.exp !== undefined && !(times.iat < times.exp && now < times.exp))
    throw new JwsError("jws-expired", "expired");
}
