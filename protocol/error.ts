/** The one error class of the kit: a stable `code`, and no detail that helps an attacker. */

import type { ProblemCode } from "./contract/problems.ts";
import { type Shape, text } from "./shape.ts";

/** The codes that are not those of a problem document: what goes wrong on this side of the wire. */
export const KIT_CODES = [
  // Sign-in.
  "signed-out",
  "sign-in-refused",
  "sign-in-mismatch",
  "clock-wrong",
  "no-account",
  // The way to the server.
  "offline",
  "unexpected-response",
  "answer-invalid",
  "unknown-whether-stored",
  // The port between custodian and microservice.
  "cancelled",
  "hello-required",
  "custodian-unproven",
  "microservice-unproven",
  "port-closed",
  "port-violation",
  "version-unsupported",
  // The vault and the instance in it.
  "vault-unreachable",
  "storage-denied",
  "no-root-key",
  "instance-expired",
  // Keys.
  "key-superseded",
  "seed-needed",
  // Documents.
  "another-file",
  "context-invalid",
  "document-changed",
  "document-deleted",
  "document-hidden",
  "document-replaced",
  "document-too-long",
  "header-too-long",
  "index-refused",
  "index-superseded",
  "name-too-long",
  "newer-format",
  "not-resumable",
  "not-seekable",
  "paused",
  "queue-full",
  "source-changed",
  // Files on this machine.
  "folder-in-use",
  "key-file-damaged",
  "key-file-open",
  "store-too-new",
] as const;

/**
 * Lower-case words joined by hyphens; docs/errors.md says what each means. `http-…` stands for a refusal that was not the
 * edge's own: somebody on the way has answered.
 */
export type ErrorCode = ProblemCode | (typeof KIT_CODES)[number] | `http-${number}`;

/** A code as it comes over the wire. One that a newer release has and this one does not know passes, and is kept. */
export const errorCode = /* @__PURE__ */ text(1, 64, /^[a-z][a-z0-9-]*$/) as Shape<ErrorCode>;

export type CofferErrorOptions = {
  /** Default: the code. */
  message?: string | undefined;
  cause?: unknown;
  /** HTTP status, where the error came as a problem document (RFC 9457). */
  status?: number | undefined;
  /** Names the audit entry in which an operator finds the full reason. */
  requestId?: string | undefined;
  /** Milliseconds after which the server wants the request repeated, where it said so. */
  retryAfter?: number | undefined;
  /** The request may have been carried out nevertheless: some answer to it was lost, or was not the server's. */
  maybeDone?: boolean;
};

/**
 * What the kit throws. Act on `code`. All failures to decrypt carry `decrypt-failed`, whatever went wrong. Where an error
 * leaves the kit, `message` is a sentence that can be shown to a person.
 */
export class CofferError extends Error {
  override readonly name = "CofferError";
  readonly code: ErrorCode;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  readonly retryAfter: number | undefined;
  readonly maybeDone: boolean;

  constructor(code: ErrorCode, options: CofferErrorOptions = {}) {
    super(options.message ?? code, { cause: options.cause });
    this.code = code;
    this.status = options.status;
    this.requestId = options.requestId;
    this.retryAfter = options.retryAfter;
    this.maybeDone = options.maybeDone ?? false;
  }
}

/** The code of anything thrown: that of a `CofferError`, else `internal`. Never a foreign message. */
export function codeOf(error: unknown): ErrorCode {
  if (error instanceof CofferError) return error.code;
  if (error instanceof DOMException && error.name === "AbortError") return "cancelled";
  return "internal";
}
