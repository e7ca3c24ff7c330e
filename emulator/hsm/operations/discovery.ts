import { isSupported, KmipError, type ResponsePayload, VERSIONS } from "#protocol/kmip/index.ts";
import { mayAsk } from "../policy/roles.ts";
import type { Handler } from "./handler.ts";

/** Discover Versions (KMIP 2.1 §6.1.14): newest first; of those that the client names, in its order. */
export const discoverVersions: Handler<"DiscoverVersions"> = ({ protocolVersion }) => ({
  protocolVersion: protocolVersion.length === 0 ? VERSIONS.toReversed() : protocolVersion.filter(isSupported),
});

/** Ping (KMIP 2.1 §6.1.37) */
export const ping: Handler<"Ping"> = () => ({});

/** Query (KMIP 2.1 §6.1.39): what this server does, as far as this identity may ask for it. */
export function queryOf(operations: readonly string[]): Handler<"Query"> {
  return ({ queryFunction }, { subject }): ResponsePayload<"Query"> => {
    const asked = new Set<unknown>(queryFunction);
    if (asked.size === 0) throw new KmipError("MissingData", "Nothing is asked");
    return {
      ...(asked.has("QueryOperations")
        ? { operation: operations.filter((operation) => mayAsk(subject.role, operation)) as never }
        : {}),
      ...(asked.has("QueryObjects")
        ? {
            objectType: [
              "Certificate",
              "CertificateRequest",
              "SymmetricKey",
              "PublicKey",
              "PrivateKey",
              "SecretData",
              "OpaqueObject",
            ],
          }
        : {}),
      ...(asked.has("QueryServerInformation")
        ? {
            vendorIdentification: "Coffer HSM emulator",
            serverInformation: { productName: "Coffer HSM emulator" },
          }
        : {}),
      ...(asked.has("QueryRNGs") ? { rngParameters: [{ rngAlgorithm: "Unspecified" }] } : {}),
      ...(asked.has("QueryCapabilities")
        ? {
            capabilityInformation: [
              {
                streamingCapability: false,
                asynchronousCapability: false,
                attestationCapability: false,
                batchUndoCapability: true,
                batchContinueCapability: true,
                unwrapMode: "Processed",
                destroyAction: "KeyMaterialDeleted",
                rngMode: "SharedInstantiation",
              },
            ],
          }
        : {}),
    };
  };
}
