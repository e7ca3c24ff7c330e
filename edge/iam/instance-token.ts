/** Tokens for instances (W9): who proves an instance's identity key, which the registration authority knows and its custodian has named, is that instance. */

import { CLOCK_TOLERANCE } from "#protocol/clock.ts";
import type { AnswerOf, instanceToken } from "#protocol/contract/index.ts";
import { authorize } from "../authorize.ts";
import { type Enrolled, LADDER } from "../enrolled.ts";
import type { Hsm } from "../hsm/index.ts";
import { takeTurn } from "../pace.ts";
import { type Decision, ok, type Result, refuse, turnAway } from "../result.ts";
import { hashSecret } from "../secret.ts";
import type { Store } from "../store.ts";
import type { Tenant } from "../tenants.ts";
import { ACCESS_TOKEN_SECONDS, signAccessToken } from "./access-token.ts";
import { signInsPerMinute } from "./bounds.ts";
import { isSignedIn } from "./custodians.ts";
import { isNamed } from "./named-instances.ts";
import { DENIED } from "./settings.ts";
import { useProof } from "./tokens.ts";

/** A request whose DPoP proof the gateway has verified, and its assertion by the same key. Times: seconds since 1970. */
export type InstanceTokenRequest = {
  instance: string;
  custodian: string;
  /** SHA-256 of the identity certificate, base64url. */
  certificate: string;
  assertion: { jti: string; expires: number };
  proof: { jkt: string; jti: string; expires: number };
  requestId: string;
};

export type InstanceTokens = AnswerOf<typeof instanceToken>;

export type InstanceTokenEndpoint = {
  store: Store;
  hsm: Hsm;
  tenant: Tenant;
  configuration: { COFFER_SIGN_INS_PER_MINUTE?: string };
  now: number;
  /** Apps that get none, as of now. */
  denied(): readonly string[];
};

/** `found` is what the registration authority has of the instance that is named. */
export async function issueInstanceToken(
  { store, hsm, tenant, configuration, now, denied }: InstanceTokenEndpoint,
  request: InstanceTokenRequest,
  found: Result<Enrolled>,
): Promise<Result<InstanceTokens>> {
  const { instance, assertion, proof, requestId } = request;
  const about = { caller: null, resource: `instance/${instance}`, requestId };
  const [assertionHash, proofHash] = await Promise.all([
    hashSecret(`${proof.jkt}.${assertion.jti}`),
    hashSecret(proof.jti),
  ]);
  const lives = (sql: SqlStorage, enrolled: Enrolled): Decision<null> => {
    if (denied().includes(enrolled.client)) return refuse("forbidden", DENIED);
    if (!isSignedIn(sql, enrolled, now)) return refuse("forbidden", "the sign-in has ended");
    // Not by the word of the registration authority alone.
    const { jkt, client } = enrolled;
    return isNamed(sql, { id: instance, identityKey: proof.jkt, jkt, client }, now)
      ? ok(null)
      : refuse("invalid-client", "its custodian has not named this instance and key");
  };
  const decision = authorize<Enrolled>(store, { action: "iam:instance-token", ...about }, (sql) => {
    const proven = checkProven(request, found);
    if (!proven.ok) return proven;
    const { user, status, level } = proven.value;
    const turn = takeTurn(sql, { what: "iam:instance-token", user }, signInsPerMinute(configuration), now);
    if (!turn.ok) return turn;
    // Used up before anything else is looked at.
    const fresh = useProof(sql, assertionHash, assertion.expires + CLOCK_TOLERANCE);
    if (!fresh.ok) return fresh;
    const unseen = useProof(sql, proofHash, proof.expires);
    if (!unseen.ok) return unseen;
    if (status !== "active") return refuse("forbidden", `instance is ${status}`);
    if (!LADDER.includes(level)) return refuse("forbidden", `instance is at level ${level}`);
    const living = lives(sql, proven.value);
    return living.ok ? proven : living;
  });
  if (!decision.ok) return decision;
  const enrolled = decision.value;
  const exp = Math.min(now + ACCESS_TOKEN_SECONDS, enrolled.notAfter);
  const accessToken = await signAccessToken(hsm, {
    iss: tenant.vault,
    sub: enrolled.user,
    aud: tenant.vault,
    client_id: enrolled.client,
    iat: now,
    exp,
    jti: crypto.randomUUID(),
    cnf: { jkt: proof.jkt },
    tenant: store.tenant,
    custodian: enrolled.custodian,
    instance,
    custodian_jkt: enrolled.jkt,
  });
  // While the HSM signed the sign-in may have ended, and the instance with it.
  const living = lives(store.sql, enrolled);
  if (!living.ok) return authorize<never>(store, { action: "iam:release-tokens", ...about }, () => living);
  return ok({ access_token: accessToken, token_type: "DPoP", expires_in: exp - now });
}

/** Whether the key that was proven is that instance's. Anyone can name an instance. */
function checkProven(
  { custodian, certificate, proof }: InstanceTokenRequest,
  found: Result<Enrolled>,
): Decision<Enrolled> {
  if (!found.ok) return turnAway("invalid-client", "no such instance");
  const { identityKey, identityCertificate } = found.value;
  if (identityKey !== proof.jkt) return turnAway("invalid-client", "another key than the instance's");
  if (identityCertificate !== certificate) return turnAway("invalid-client", "another certificate");
  if (found.value.custodian !== custodian) return turnAway("invalid-client", "another custodian");
  return ok(found.value);
}
