/** What a microservice of this custodian enrols by where no cookie of the vault's goes (M2). */

import { issueSecretZero } from "#protocol/contract/index.ts";
import type { Enrol } from "#protocol/enrolment.ts";
import { callJson } from "./call.ts";
import type { RestClient } from "./rest.ts";

/** `custodian`: its Distinguished Name. One of a lost answer is presented by nobody, and ends soon. Errors: `CofferError`. */
export async function bySecretZero(rest: Pick<RestClient, "json">, custodian: string): Promise<Enrol> {
  const { secretZero } = await callJson(rest, issueSecretZero, {}, { custodian }, { tries: 3 });
  return { method: "secret-zero", secretZero };
}
