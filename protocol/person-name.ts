/** A person's name as typed, tidied: NFC, single spaces, 1 to 64 characters, nothing invisible. Null if it is not one. */
export function personName(text: unknown): string | null {
  if (typeof text !== "string" || text.length > 256) return null;
  const name = text.normalize("NFC").replace(/\s+/gu, " ").trim();
  return /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]{1,64}$/u.test(name) ? name : null;
}
