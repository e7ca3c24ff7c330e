import { fileURLToPath } from "node:url";

/** The folder of the published test vectors: COFFER_VECTORS, or one beside the checkout. CONTRIBUTING.md says what lies in it. */
export function vectorsFolder(): string {
  return process.env.COFFER_VECTORS ?? fileURLToPath(new URL("../../../shared/vectors", import.meta.url));
}
