import {
  isSupported,
  KmipError,
  type OperationName,
  type ResponsePayload,
  VERSIONS,
} from "#protocol/kmip/index.ts";
import { mayAsk } from "../policy/access.ts";
import type { Context } from "./context.ts";
import type { Handler } from "./handler.ts";
import { GENERATOR } from "./new-object.ts";
import type { Operation } from "./operation.ts";
import { settingsOf } from "./settings.ts";

type Profiles = NonNullable<ResponsePayload<"Query">["profileInformation"]>;

/** Profiles whose test cases this server passes, by the names of 1.3 and 1.4 and of 2.x; the codec picks those of the version. */
const PROFILES: Profiles = (["KMIPV1_3", "KMIPV1_4", ""] as const).flatMap((version) =>
  (
    [
      "TapeLibraryServer",
      "SymmetricKeyLifecycleServer",
      "AsymmetricKeyLifecycleServer",
      "BasicCryptographicServer",
      "AdvancedCryptographicServer",
      "RNGCryptographicServer",
      "SymmetricKeyFoundryServer",
      "OpaqueManagedObjectStoreServer",
      "StorageArrayWithSelfEncryptingDriveServer",
      "HTTPSServer",
      "JSONServer",
      "XMLServer",
    ] as const
  ).map((profile) => ({ profileName: `${profile}${version}` as const })),
);

/** Empty where there are none (TC-MD-1): what is asked for has an answer. */
function defaultsOf(context: Context): Pick<ResponsePayload<"Query">, "defaultsInformation"> {
  return { defaultsInformation: settingsOf(context).defaults ?? {} };
}

/** Discover Versions (KMIP 2.1 §6.1.16): newest first; of those that the client names, in its order. */
const discoverVersions: Handler<"DiscoverVersions"> = ({ protocolVersion }) => ({
  protocolVersion: protocolVersion.length === 0 ? VERSIONS.toReversed() : protocolVersion.filter(isSupported),
});

/** Ping (KMIP 2.1 §6.1.36) */
const ping: Handler<"Ping"> = () => ({});

/** Query (KMIP 2.1 §6.1.40): what this server does, as far as this identity may ask for it. */
const query: Handler<"Query"> = ({ queryFunction }, context): ResponsePayload<"Query"> => {
  const { subject } = context;
  const asked = new Set<unknown>(queryFunction);
  if (asked.size === 0) throw new KmipError("MissingData", "Nothing is asked");
  return {
    ...(asked.has("QueryOperations")
      ? {
          operation: Object.keys(subject.operations).filter((operation): operation is OperationName =>
            mayAsk(subject, operation),
          ),
        }
      : {}),
    ...(asked.has("QueryObjects")
      ? {
          objectType: [
            "Certificate",
            "CertificateRequest",
            "SymmetricKey",
            "PublicKey",
            "PrivateKey",
            "SplitKey",
            "SecretData",
            "OpaqueObject",
            "PGPKey",
            "Template",
          ],
        }
      : {}),
    ...(asked.has("QueryServerInformation")
      ? {
          vendorIdentification: "Coffer HSM emulator",
          serverInformation: { productName: "Coffer HSM emulator" },
        }
      : {}),
    ...(asked.has("QueryAttestationTypes") ? { attestationType: [...context.attestationTypes] } : {}),
    ...(asked.has("QueryRNGs") ? { rngParameters: [GENERATOR] } : {}),
    ...(asked.has("QueryProfiles") ? { profileInformation: PROFILES } : {}),
    // Clients come with certificates that the server's side has issued.
    ...(asked.has("QueryClientRegistrationMethods")
      ? { clientRegistrationMethod: ["ServerPreGenerated" as const] }
      : {}),
    ...(asked.has("QueryDefaultsInformation") && !context.objects ? defaultsOf(context) : {}),
    ...(asked.has("QueryCapabilities")
      ? {
          capabilityInformation: [
            {
              streamingCapability: true,
              asynchronousCapability: true,
              attestationCapability: context.attestationTypes.length > 0,
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

export const DiscoverVersions: Operation<"DiscoverVersions"> = {
  handler: discoverVersions,
  needsValue: false,
  unattested: false,
  deferrable: false,
  undoable: true,
  roles: ["kms", "ra", "iam", "audit"],
  ticket: "session",
  policyName: undefined,
  shared: false,
};

export const Ping: Operation<"Ping"> = {
  handler: ping,
  needsValue: false,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: ["kms", "ra", "iam", "audit"],
  ticket: "session",
  policyName: undefined,
  shared: false,
};

export const Query: Operation<"Query"> = {
  handler: query,
  needsValue: false,
  unattested: false,
  deferrable: false,
  undoable: true,
  roles: ["kms", "ra", "iam", "audit"],
  ticket: "session",
  policyName: undefined,
  shared: false,
};
