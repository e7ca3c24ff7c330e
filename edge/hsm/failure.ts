import type { ProblemCode } from "#protocol/contract/index.ts";
import { KmipDecodeError, KmipError } from "#protocol/kmip/index.ts";
import { fail, type Result } from "../result.ts";
import { AttestationRefused, BackEndRefused } from "./back-end.ts";
import { HsmUnavailable, UnexpectedAnswer } from "./client.ts";

/** What went wrong where the HSM was needed: the code for the caller, and the reason for the operator's log alone. */
export type Failure = { code: ProblemCode; reason: string };

/**
 * The one mapping of failures. `hsm-unavailable` when the HSM cannot be reached or does not speak KMIP, `hsm-refused` when
 * it refuses or answers what was not asked for, `back-end-refused` when it keeps or offers less than is asked for,
 * `attestation-refused` when it gives a key to attested recipients alone and this is none. Everything else is a fault of ours (`internal`): to blame the HSM would
 * send the operator to the wrong place, and the caller would come again for nothing.
 */
export function failureOf(error: unknown): Failure {
  if (error instanceof KmipError)
    return { code: "hsm-refused", reason: `${error.operation ?? ""} ${error.code}` };
  if (error instanceof BackEndRefused) return { code: "back-end-refused", reason: error.message };
  if (error instanceof AttestationRefused) return { code: "attestation-refused", reason: error.message };
  const reason = error instanceof Error ? error.name : "unknown";
  if (error instanceof UnexpectedAnswer) return { code: "hsm-refused", reason };
  const away = error instanceof HsmUnavailable || error instanceof KmipDecodeError;
  return { code: away ? "hsm-unavailable" : "internal", reason };
}

/**
 * Runs what needs the HSM and turns what it throws into a result, where no decision is made that could record it. The log
 * gets kinds and reasons as KMIP names them, never key material.
 */
export async function fromHsm<T>(requestId: string, run: () => Promise<Result<T>>): Promise<Result<T>> {
  try {
    return await run();
  } catch (error) {
    const { code, reason } = failureOf(error);
    const message = error instanceof Error ? error.message.slice(0, 200) : "";
    console.error(JSON.stringify({ event: code, requestId, error: reason, message }));
    return fail(code);
  }
}
