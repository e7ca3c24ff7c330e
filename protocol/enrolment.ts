/**
 * The ways to enrol (M1, M2, M3), each once. Imports shape.ts. Imported by protocol/contract, protocol/pki,
 * protocol/port, edge/ra and web/. What makes the credential of a way is in web/microservice/credentials.ts, what takes it in edge/ra/methods.
 */
import { compactJws, list, literal, type Of, object, text, union } from "./shape.ts";

/** Longest secret zero, characters. */
export const MAX_SECRET_ZERO = 2048;

/** What a custodian hands to its microservice, so that it can enrol. */
export const enrol = /* @__PURE__ */ union("method", {
  grant: object({ method: literal("grant"), grant: text(1, 256, /^([a-z2-7]{32}\.)?[\w-]+$/) }),
  /** `enrolment` and `nonce`: the session that the deployer opened. `accepts`: media types of evidence. */
  attestation: object({
    method: literal("attestation"),
    enrolment: text(1, 128, /^[a-z2-7]{32}\.[\w-]+$/),
    nonce: text(11, 128, /^[\w-]+$/),
    accepts: list(text(1, 256), 1, 16),
  }),
  "secret-zero": object({ method: literal("secret-zero"), secretZero: compactJws(MAX_SECRET_ZERO) }),
});
export type Enrol = Of<typeof enrol>;
export type MethodName = Enrol["method"];

/** By which certificates name the method: the last arc of a policy's object identifier (M4). */
export const METHOD_ARCS: Readonly<Record<MethodName, number>> = {
  attestation: 1,
  "secret-zero": 2,
  grant: 3,
};

export const METHOD_NAMES = /* @__PURE__ */ Object.keys(METHOD_ARCS) as readonly MethodName[];
