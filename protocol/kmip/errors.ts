/** Errors of the KMIP codec and client. Each carries a stable `code`, the name of a Result Reason (KMIP 2.1 §11.46). */

import type { EnumerationName } from "./dictionary.ts";

/** Name of a Result Reason, or the number of one that the tables do not know. */
export type ResultReason = EnumerationName<"ResultReason">;

/**
 * Bytes, JSON or XML that are no KMIP, or that break a bound or a schema.
 * `offset` is the byte (or character) where reading stopped, where that is known.
 */
export class KmipDecodeError extends Error {
  override readonly name = "KmipDecodeError";
  readonly code: ResultReason;
  readonly offset: number | undefined;

  constructor(message: string, options: { offset?: number; code?: ResultReason; cause?: unknown } = {}) {
    super(options.offset === undefined ? message : `${message} (offset ${options.offset})`, {
      cause: options.cause,
    });
    this.offset = options.offset;
    this.code = options.code ?? "InvalidMessage";
  }
}

/** A message that cannot be written: a value of the wrong kind, or one that the protocol version does not have. */
export class KmipEncodeError extends Error {
  override readonly name = "KmipEncodeError";
  readonly code = "InvalidField";
}

/** An operation that the server refused. `code` is its Result Reason, `General Failure` where the server gave none. */
export class KmipError extends Error {
  override readonly name = "KmipError";
  readonly code: ResultReason;
  readonly operation: string | number | undefined;

  constructor(code: ResultReason, message?: string, operation?: string | number) {
    super(message ?? `KMIP operation failed: ${code}`);
    this.code = code;
    this.operation = operation;
  }
}
