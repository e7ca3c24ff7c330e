import type { Rule } from "../index.ts";
import type { Facts } from "./facts.ts";

/** The first second after `now` at which a time that a statement names begins or ends; what is decided now may not hold then. */
export function nextChange(policies: readonly (readonly Rule<Facts>[])[], now: number): number | undefined {
  const times = policies.flat().flatMap(({ asks }) => asks.flatMap(({ changes = [] }) => changes));
  const next = Math.min(...times.filter((time) => now < time));
  return Number.isFinite(next) ? next : undefined;
}
