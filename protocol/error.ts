/** The one error class of the kit: a stable `code`, and no detail that helps an attacker. */

/**
 * What the kit throws. `code` is lower-case words joined by hyphens and the same as in the problem documents of the
 * REST interface (RFC 9457). All failures to decrypt carry `decrypt-failed`, whatever went wrong.
 */
export class CofferError extends Error {
  readonly code: string;

  constructor(code: string, message: string = code, options?: ErrorOptions) {
    super(message, options);
    this.name = "CofferError";
    this.code = code;
  }
}

/** The code of anything thrown: that of a `CofferError`, else `fallback`. Never a foreign message. */
export function codeOf(error: unknown, fallback = "internal"): string {
  if (error instanceof CofferError) return error.code;
  if (error instanceof DOMException && error.name === "AbortError") return "cancelled";
  return fallback;
}
