/** What crosses the RA's RPC. Times are seconds since 1970. */

import type {
  AnswerOf,
  BodyOf,
  issueGrant,
  issueSecretZero,
  listInstances,
  listUserInstances,
  openAttestation,
  openEnrolment,
  redeemEnrolment,
} from "#protocol/contract/index.ts";
import type { Appraisal, Expectation } from "#protocol/evidence/index.ts";
import type { Evidence } from "#protocol/pki/index.ts";
import type { InstanceFacts } from "../enrolled.ts";

/**
 * Who opens or redeems an enrolment session, and the Origin header of the request. `user` is whom the vault's cookie stands
 * for, which the gateway has checked; null without one, where only methods count that need none. `principal`: whose object
 * it then asks.
 */
export type Applicant = {
  tenant: string;
  user: string | null;
  principal?: string;
  origin: string;
  requestId: string;
};

/** M3: a short-lived credential that works once; only its hash is kept. */
export type GrantIssued = AnswerOf<typeof issueGrant>;

/** M2: a short-lived credential for who has it, that works once. */
export type SecretZeroRequest = BodyOf<typeof issueSecretZero>;
export type SecretZeroIssued = AnswerOf<typeof issueSecretZero>;

/** M1: a session in which evidence is shown. */
export type AttestationRequest = BodyOf<typeof openAttestation>;
export type AttestationOpened = AnswerOf<typeof openAttestation>;

/** Evidence, as a certificate request has it in it. */
export type { Evidence };
/**
 * What a verifier is asked about: `subject`, for whom the evidence must be; `key`, SubjectPublicKeyInfo of the key to certify. `user`: of whom
 * a passkey must be, those that there are, and where it must have been asked for.
 */
export type Presented = Evidence & {
  nonce: Uint8Array;
  subject: string;
  key: Uint8Array;
  user?: string;
} & Pick<Expectation, "passkeys" | "frame">;
export type EvidenceResult = Appraisal;

/** An open enrolment session. */
export type EnrolmentOpened = AnswerOf<typeof openEnrolment>;

/** A revocation list, CertificateList of RFC 5280 §5.1. */
export type Published = {
  der: Uint8Array<ArrayBuffer>;
  number: number;
  thisUpdate: number;
  nextUpdate: number;
};

/** What an enrolment ends with. */
export type Enrolment = AnswerOf<typeof redeemEnrolment>;

/** What the KMS has to know of the holder of a wrapping certificate. */
export type Recipient = {
  instance: string;
  custodian: string;
  user: string;
  origin: string;
  /** Unique identifier of the public key at the HSM. */
  hsmKey: string;
  /** The same of the ML-KEM key, which stands for both keys of a hybrid recipient; null where it is none. */
  hybridKey: string | null;
  notAfter: number;
  status: "active" | "revoked" | "expired";
} & InstanceFacts;

/** An instance as its user sees it. */
export type Instance = AnswerOf<typeof listInstances>["instances"][number];

/** The same as an admin sees it: of whichever app. */
export type UserInstance = AnswerOf<typeof listUserInstances>["instances"][number];

/** Whom an instance is bound to for its life (M13). */
export type Binding = { user: string; custodian: string; client: string; jkt: string; origin: string };
