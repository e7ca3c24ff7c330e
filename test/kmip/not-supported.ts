/** Reasons by which a server says that it does not have what was asked for, rather than that something is wrong with it. */
const REASONS = new Set<string | number>([
  "OperationNotSupported",
  "FeatureNotSupported",
  "KeyFormatTypeNotSupported",
  "KeyCompressionTypeNotSupported",
  "KeyWrapTypeNotSupported",
  "UnsupportedCryptographicParameters",
]);

/** Some, as PyKMIP, have one reason for whatever is wrong with a field, and say in words that they do not have the algorithm. */
const WORDS = /\bnot (?:a |an )?supported\b|\bunsupported\b/i;

/** Whether a server refused because it does not have what was asked for: no failure of another server than our own. */
export function isNotSupported(reason: string | number, message = ""): boolean {
  return REASONS.has(reason) || WORDS.test(message);
}
