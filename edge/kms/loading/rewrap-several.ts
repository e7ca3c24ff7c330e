/** Loading by rewrap of up to 100 keys in one round trip (M8). */

import { decodeBase64url } from "#protocol/base64url.ts";
import { digest } from "#protocol/digest.ts";
import type { LoadAnswer, RequestOf } from "#protocol/keys/index.ts";
import type { Caller } from "../../caller.ts";
import { ok, type Result, refuse } from "../../result.ts";
import { type Door, failedUnderMaster, noMember } from "../context.ts";
import { askForSeveral, askUnders, authorizeSeveral, type Item, loadSeveral, severalOf } from "./several.ts";
import { attestedBy } from "./wanted.ts";

export async function rewrapInOne(
  door: Door,
  caller: Caller,
  request: RequestOf<"several">,
  items: readonly Item[],
): Promise<Result<LoadAnswer>> {
  const { neighbours } = door;
  const thumbprint = await digestOf(request.certificate);
  const attested = attestedOf(request);
  const several = { ...(await severalOf(caller, items, thumbprint ?? "")), ...(attested && { attested }) };
  const { about } = several;
  const action = "kms:rewrap";
  if (thumbprint === null || attested === null)
    return door.refuse({ action, ...about }, refuse("invalid-certificate", "certificate is not base64url"));
  const [standing, unders] = await Promise.all([
    askForSeveral(neighbours, several),
    askUnders(neighbours, several),
  ]);
  if (!standing.member.ok) return door.refuse({ action, ...about }, noMember(standing.member.problem));
  const kms = await door.enter();
  const decision = authorizeSeveral(kms, action, several, standing);
  if (!decision.ok) return decision;
  if (!unders.ok)
    return door.refuse({ action, ...about }, refuse(unders.problem.code, "no key to unwrap with"));
  try {
    const loads = await loadSeveral(kms, several, decision.value, unders.value);
    // While the HSM worked any of what was asked may have changed.
    const again = await askForSeveral(neighbours, several);
    const released = authorizeSeveral(kms, "kms:release", several, again);
    if (!released.ok) return released;
    return ok({ way: "several", keys: loads.map(({ way: _, ...key }) => key) });
  } catch (error) {
    return await failedUnderMaster(kms, "kms:rewrap-at-hsm", about, error);
  }
}

/** Null where it is no certificate. */
function attestedOf({ certificate, attestation }: RequestOf<"several">) {
  try {
    return attestedBy(decodeBase64url(certificate), attestation);
  } catch {
    return null;
  }
}

/** Of a certificate, DER in base64url; null where it is none. */
export async function digestOf(certificate: string): Promise<string | null> {
  try {
    return await digest(decodeBase64url(certificate));
  } catch {
    return null;
  }
}
