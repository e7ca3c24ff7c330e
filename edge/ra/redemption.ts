/** What an applicant presents in an enrolment session: session and credential are used up together, whatever is wrong (M20). */

import type { Redemption } from "#protocol/contract/index.ts";
import type { MethodName } from "#protocol/enrolment.ts";
import { type Decision, ok, refuse } from "../result.ts";
import { type EnrolmentMethod, methodsFor, type Verification } from "./methods/index.ts";
import { consumeSession } from "./session.ts";
import type { Applicant } from "./types.ts";

/** What is left once both are used up: the session's nonce, and what has still to be verified by it. */
export type Redeemed = { nonce: Uint8Array<ArrayBuffer>; method: MethodName; verify: Verification };

/** Reads what is presented, and answers how to redeem it: in the transaction of the decision. `now` in seconds. */
export async function prepareRedemption(
  by: Applicant,
  id: string,
  request: Pick<Redemption, "method" | "credential">,
  methods?: readonly EnrolmentMethod[],
): Promise<(sql: SqlStorage, now: number) => Decision<Redeemed>> {
  const method = methodsFor(by, methods).find(({ name }) => name === request.method);
  const credential = await method?.prepare(request.credential, id);
  return (sql, now) => {
    const nonce = consumeSession(sql, id, by, now);
    if (!method || !credential) return nonce.ok ? refuse("bad-request", "no credential") : nonce;
    const verify = credential.consume(sql, by, now);
    if (!nonce.ok) return nonce;
    if (!verify.ok) return verify;
    return ok({ nonce: nonce.value, method: method.name, verify: verify.value });
  };
}
