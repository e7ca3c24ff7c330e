import type { CryptographicParameters } from "#protocol/kmip/index.ts";
import type { ManagedObject } from "../store/managed-object.ts";

/** The request's parameters, or those of the key where the request has none (KMIP 2.1 §4.16 Cryptographic Parameters). */
export function parametersOf(
  key: ManagedObject,
  asked: CryptographicParameters | undefined,
): CryptographicParameters {
  return asked ?? key.attributes.cryptographicParameters?.[0] ?? {};
}
