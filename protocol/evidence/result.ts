/**
 * Attestation results: EAR (draft-ietf-rats-ear) in a JWS, ES256, by the verifier's key. What a verifier writes and a relying
 * party, here the registration authority, reads.
 */
import { decodeBase64url, encodeBase64url } from "../base64url.ts";
import { equalConstantTime, utf8 } from "../bytes.ts";
import { CLOCK_TOLERANCE } from "../clock.ts";
import { type EcPublicJwk, joinJws, signingInput, thumbprint, verifyJws } from "../keys/index.ts";
import { TIERS, type Tier } from "../policy/index.ts";
import { fits, line, list, literal, open, record, seconds, text } from "../shape.ts";

const TYPE = "ear+jwt";
const PROFILE = "tag:ietf.org,2026:rats/ear#04";
/** Trustworthiness tiers of EAR: nothing to object to; what runs must not be trusted. */
const [AFFIRMING, CONTRAINDICATED] = [2, 96] as const;
/** Seconds that a result is good: the relying party waits for it. */
export const RESULT_SECONDS = 60;

const result = open({
  eat_profile: literal(PROFILE),
  iss: line(256),
  aud: line(256),
  iat: seconds,
  exp: seconds,
  jti: text(36, 36),
  eat_nonce: text(11, 86, /^[\w-]*$/),
  submods: open({
    microservice: open(
      {
        ear_status: literal(0, AFFIRMING, 32, CONTRAINDICATED),
        ear_appraisal_policy_ids: list(line(256), 1, 1),
        // The key that was attested, SubjectPublicKeyInfo: a relying party certifies no other.
        ear_veraison_key_attestation: open({ akpub: text(1, 1024, /^[\w-]*$/) }),
      },
      {
        ear_attester_claims: open({ environment: literal(...TIERS), measurements: record(64, 128) }),
        ear_verifier_claims: open({ reason: line(200) }),
      },
    ),
  }),
});

/** What was asked: both ends name the same. */
export type Asked = {
  /** For whom the result is: a registration authority, by tenant. */
  audience: string;
  nonce: Uint8Array;
  /** SubjectPublicKeyInfo of the key that is to be certified. */
  key: Uint8Array;
};
/** What a verifier found: evidence that its policy takes, or why not. */
export type Appraisal =
  | { ok: true; policy: string; tier: Tier; measurements: Readonly<Record<string, string>> }
  | { ok: false; policy: string; reason: string };

export type VerifierKey = { issuer: string; publicKey: EcPublicJwk; sign: Sign };
/** ECDSA P-256 with SHA-256, r || s. */
export type Sign = (bytes: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>;

/** Signs a result. `now` in seconds. */
export async function signResult(
  { issuer, publicKey, sign }: VerifierKey,
  { audience, nonce, key }: Asked,
  appraisal: Appraisal,
  now: number,
): Promise<string> {
  const said = appraisal.ok
    ? {
        ear_status: AFFIRMING,
        ear_attester_claims: { environment: appraisal.tier, measurements: appraisal.measurements },
      }
    : {
        ear_status: CONTRAINDICATED,
        ear_verifier_claims: {
          reason: appraisal.reason.replaceAll(/\p{Cc}/gu, " ").slice(0, 200) || "unknown",
        },
      };
  const payload = {
    eat_profile: PROFILE,
    ...{ iss: issuer, aud: audience, iat: now, exp: now + RESULT_SECONDS, jti: crypto.randomUUID() },
    eat_nonce: encodeBase64url(nonce),
    ear_verifier_id: { developer: "Coffer", build: "edge/verifier" },
    submods: {
      microservice: {
        ...said,
        ear_appraisal_policy_ids: [appraisal.policy],
        ear_veraison_key_attestation: { akpub: encodeBase64url(key) },
      },
    },
  };
  const input = signingInput({ typ: TYPE, kid: await thumbprint(publicKey) }, payload);
  return joinJws(input, await sign(utf8(input)));
}

/**
 * What a result says, if it is by this verifier's key, for this audience, nonce and key, and of now (seconds). Throws an
 * `Error` with the reason, for a log alone.
 */
export async function verifyResult(
  token: string,
  verifier: { issuer: string; publicKey: EcPublicJwk },
  { audience, nonce, key }: Asked,
  now: number,
): Promise<Appraisal> {
  const kid = await thumbprint(verifier.publicKey);
  const payload = await verifyJws(token, TYPE, (named) => (named === kid ? verifier.publicKey : null));
  if (!fits(result, payload)) throw new Error("the result is not of its shape");
  const { iss, aud, iat, exp, eat_nonce, submods } = payload;
  if (iss !== verifier.issuer) throw new Error("a result of another verifier");
  if (aud !== audience) throw new Error("a result for another audience");
  if (!equalConstantTime(decodeBase64url(eat_nonce), nonce)) throw new Error("a result for another nonce");
  if (!(iat <= now + CLOCK_TOLERANCE && now < exp && exp <= iat + RESULT_SECONDS))
    throw new Error("a result of another time");
  const { microservice: of } = submods;
  const attested = decodeBase64url(of.ear_veraison_key_attestation.akpub);
  if (!equalConstantTime(attested, key)) throw new Error("a result for another key");
  const [policy = ""] = of.ear_appraisal_policy_ids;
  const { ear_status: status, ear_attester_claims: claims, ear_verifier_claims: why } = of;
  if (status !== AFFIRMING) return { ok: false, policy, reason: why?.reason ?? `status ${status}` };
  if (claims === undefined) throw new Error("the result says nothing of the attester");
  return { ok: true, policy, tier: claims.environment, measurements: claims.measurements };
}
