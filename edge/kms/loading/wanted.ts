/** What a request for a key says once it is verified: which key, and who is to have it. */

import { decodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import { type Edk, JwsError } from "#protocol/keys/index.ts";
import type { KeyPolicy } from "#protocol/policy/index.ts";
import { authorize } from "../../authorize.ts";
import type { Caller } from "../../caller.ts";
import type { Recipient } from "../../ra/types.ts";
import { ok, type Result, refuse } from "../../result.ts";
import { type About, type Context, failed } from "../context.ts";
import { findDataKey } from "../registry.ts";
import { decideRelease } from "./release.ts";

export type Wanted = {
  edk: Edk;
  /** The EDK as it was sent. */
  token: string;
  /** SHA-256 of the instance's wrapping certificate, base64url. */
  thumbprint: string;
  about: About;
};

/** Reads EDK (compact JWS) and certificate (base64url DER); what is refused here is refused without a key's name. */
export async function readWanted(
  kms: Context,
  caller: Caller,
  action: string,
  { edk: token, certificate }: { edk: string; certificate: string },
): Promise<Result<Wanted>> {
  const unidentified = { caller, resource: "edk", requestId: caller.requestId };
  const refuseNow = (code: "invalid-edk" | "invalid-certificate", reason: string) =>
    authorize<never>(kms.store, { action, ...unidentified }, () => refuse(code, reason));
  let edk: Edk;
  try {
    edk = await kms.trust.verifyEdk(token);
  } catch (error) {
    if (error instanceof JwsError) return refuseNow("invalid-edk", `${error.code}: ${error.message}`);
    return failed(kms, action, unidentified, error);
  }
  try {
    const thumbprint = await digest(decodeBase64url(certificate));
    const about = { ...unidentified, resource: `key/${edk.keyId}.${edk.keyVersion}` };
    return ok({ edk, token, thumbprint, about });
  } catch {
    return refuseNow("invalid-certificate", "certificate is not base64url");
  }
}

/** Decides, and records, whether the key may be released to the holder of that certificate as things stand now. */
export async function authorizeRelease(
  kms: Context,
  action: string,
  { edk, thumbprint, about }: Wanted,
): Promise<Result<{ policy: KeyPolicy; recipient: Recipient }>> {
  const { tenant } = kms.store;
  const found = await kms.neighbours.RA.recipient({ tenant, user: about.caller.user, thumbprint });
  if (!found.ok && found.problem.code !== "not-recipient") return found;
  const recipient = found.ok ? found.value : null;
  return authorize(kms.store, { action, ...about }, (sql) => {
    const record = findDataKey(sql, edk.keyId, edk.keyVersion);
    const now = seconds(Date.now());
    const decision = decideRelease(about.caller, { edk, recipient, record, now });
    if (!decision.ok) return decision;
    return recipient ? ok({ policy: decision.value, recipient }) : refuse("not-recipient", "no recipient");
  });
}
