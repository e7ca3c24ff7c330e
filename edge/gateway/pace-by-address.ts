import { createMiddleware } from "hono/factory";
import { refuseForNow } from "../result.ts";
import type { GatewayEnv } from "./context.ts";
import { refused } from "./problem.ts";

/** Seconds of the binding PACE_BY_ADDRESS (wrangler.toml). */
const PERIOD = 60;

/**
 * A pace for each address, where something is kept or somebody asked before anybody is known. Cloudflare counts by location and lets a few
 * more through (Rate Limiting binding): a bound on what one network can do here, and no quota. On this machine nobody is counted.
 */
export function paceByAddress() {
  return createMiddleware<GatewayEnv>(async function paceByAddress(c, next) {
    const address = c.req.header("cf-connecting-ip");
    if (address !== undefined && !LOOPBACK.test(address)) {
      const { success } = await c.env.PACE_BY_ADDRESS.limit({ key: networkOf(address) });
      if (!success) throw refused(refuseForNow("pace of an address", PERIOD).problem);
    }
    await next();
  });
}

const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/;

/** An address of IPv4; of IPv6 its first 64 bits, since whoever has one address there has as many as they like. */
export function networkOf(address: string): string {
  const [before = "", after] = address.toLowerCase().slice(0, 64).split("::");
  if (!address.includes(":")) return before;
  const groups = (text: string) => text.split(":").filter((group) => group !== "");
  const [left, right] = [groups(before), groups(after ?? "")];
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => "0");
  const whole = after === undefined ? left : [...left, ...zeros, ...right];
  return whole
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
