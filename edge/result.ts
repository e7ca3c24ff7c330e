import { type ProblemCode, problems } from "#protocol/contract/index.ts";

/** A refusal or failure as it crosses RPC: errors would lose their class there. `detail` is generic, never a reason. */
export type Problem = {
  code: ProblemCode;
  status: number;
  detail: string;
  /** Seconds after which it makes sense to come again. */
  retryAfter?: number;
};

/** What every entrypoint and Durable Object method answers. */
export type Result<T> = { ok: true; value: T; steps?: readonly Step[] } | { ok: false; problem: Problem };

/**
 * What one domain asked another for (`what`: the method) or the HSM (`what`: KMIP's operations, each with how often), for a request, and how
 * long that took, milliseconds (edge/steps.ts). Values of the code alone, and nothing of what was asked about.
 */
export type Step = { from: string; to: string; what: string; ms: number };

/** A refusal inside a domain: the problem for the caller, and the reason for the audit log alone. */
export type Refusal = { ok: false; problem: Problem; reason: string; bounded?: true };

/** What a check in `authorize()` answers. */
export type Decision<T> = { ok: true; value: T } | Refusal;

export function ok<T>(value: T): { ok: true; value: T } {
  return { ok: true, value };
}

/** A problem without a reason of its own, for what is not a decision (malformed input, the HSM is away). */
export function fail(code: ProblemCode): { ok: false; problem: Problem } {
  const { status, title } = problems[code];
  return { ok: false, problem: { code, status, detail: title } };
}

/**
 * A refusal for the number of requests or of what they made; it may pass in `retryAfter` seconds. A client that is refused so can
 * have it at will: the audit log counts what is too many of them.
 */
export function refuseForNow(reason: string, retryAfter: number): Refusal {
  const refusal = turnAway("too-many-requests", reason);
  refusal.problem.retryAfter = Math.max(1, Math.ceil(retryAfter));
  return refusal;
}

/** A refusal in a check of `authorize()`; `reason` goes to the audit log and must name no secret and no file. */
export function refuse(code: ProblemCode, reason: string): Refusal {
  return { ...fail(code), reason };
}

/**
 * A refusal that anyone can cause at will, since it takes nothing that they could not make up. The audit log has so many of
 * them a minute one by one, and counts the rest.
 */
export function turnAway(code: ProblemCode, reason: string): Refusal {
  return { ...refuse(code, reason), bounded: true };
}
