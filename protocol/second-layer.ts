/**
 * The second layer of a tenant (W14): what its instances at level `master` encrypt once more under the master key. Imports nothing.
 * Imported by protocol/keys, web/microservice and edge.
 */
export const SECOND_LAYERS = ["data-key", "content", "both"] as const;

/** Enc(data), the ciphertext of documents, or both. */
export type SecondLayer = (typeof SECOND_LAYERS)[number];

export function covers(setting: SecondLayer | undefined, what: Exclude<SecondLayer, "both">): boolean {
  return setting === "both" || setting === what;
}
