/**
 * What went wrong with a provider. `unavailable`: it does not answer, or not as one. `declined`: it signed nobody in.
 * `stale`: nothing of this browser is under way. `invalid`: it says what cannot be verified.
 */
export type ProviderFailure = "unavailable" | "declined" | "stale" | "invalid";

/** `message` is for the log and the audit: it names no secret and no person, and is shown to nobody. */
export class ProviderError extends Error {
  override readonly name = "ProviderError";
  readonly failure: ProviderFailure;
  constructor(failure: ProviderFailure, reason: string) {
    super(reason);
    this.failure = failure;
  }
}
