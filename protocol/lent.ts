/**
 * Messages between an app's Service Worker and a page that lends it its microservice (M15): calls of the microservice's port, and what
 * comes of them. Both ends are the app's own origin; keys pass as little as over the port itself.
 */
import type { ErrorCode } from "./error.ts";

/** What is lent. Neither enrolment nor the end of an instance: those are the page's. */
export const LENT = ["hello", "load", "entrust", "lock", "operate", "seal", "open"] as const;
export type Lent = (typeof LENT)[number];

/** The page to its Service Worker, with a port. `custodian`: Distinguished Name whom the microservice serves. */
export const LOAN = "coffer-loan";
export type Loan = { type: typeof LOAN; custodian: string };
/** The Service Worker to its pages: whoever has a microservice may lend it. */
export const WANTED = "coffer-loan-wanted";

/** Over that port. `input`: what is sealed or opened; `id` names the call in its answer. */
export type LentCall = { id: number; method: Lent; params: unknown[]; input?: ReadableStream };
export type LentAnswer = { id: number } & (
  | { value: unknown }
  | { stream: ReadableStream }
  | { code: ErrorCode }
);

export function isLent(method: unknown): method is Lent {
  return LENT.some((name) => name === method);
}
