import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Item,
  itemFromXml,
  parseXml,
  type RequestItem,
  type RequestMessage,
  requestToItem,
  VERSIONS,
} from "#protocol/kmip/index.ts";
import { PAYLOADS } from "#protocol/kmip/payloads.ts";
import { vectorsFolder } from "../support/vectors.ts";
import { IDENTIFIERS } from "./server-objects.ts";

/** Messages to begin with: OASIS's own where they are at hand, and one of ours for each operation and version. */
export function seeds(): Item[] {
  return [...oasis(), ...ours()];
}

function oasis(): Item[] {
  const folder = join(vectorsFolder(), "kmip/oasis");
  if (!existsSync(folder)) return [];
  const found: Item[] = [];
  for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".xml")) continue;
    for (const [message] of readFileSync(join(folder, file), "utf8").matchAll(
      /<RequestMessage>[\s\S]*?<\/RequestMessage>|<ResponseMessage>[\s\S]*?<\/ResponseMessage>/g,
    )) {
      try {
        found.push(itemFromXml(parseXml(withValues(message))));
      } catch {
        // Some need values that only the run of the case has.
      }
    }
  }
  return found;
}

/** Placeholders of the test cases, as something that can be decoded. */
function withValues(message: string): string {
  return message
    .replace(/\$UNIQUE_IDENTIFIER_(\d)/g, (_, n) => IDENTIFIERS[Number(n) % IDENTIFIERS.length]!)
    .replace(/\$NOW([-+]\d+)?/g, "2026-01-01T00:00:00+00:00")
    .replace(/"\$[A-Z_0-9]+"/g, '"00"');
}

function ours(): Item[] {
  const found: Item[] = [];
  for (const protocolVersion of VERSIONS) {
    for (const operation of Object.keys(PAYLOADS)) {
      for (const uniqueIdentifier of IDENTIFIERS) {
        const item = { operation, payload: { ...FIELDS[operation], uniqueIdentifier } };
        const message = { header: { protocolVersion }, items: [item as unknown as RequestItem] };
        try {
          found.push(requestToItem(message as RequestMessage));
        } catch {
          // Not in that version, or with other required fields.
        }
      }
    }
  }
  return found;
}

const AES = { cryptographicAlgorithm: "AES", cryptographicLength: 128, cryptographicUsageMask: ["Encrypt"] };
const data = new Uint8Array(16);

/** Fields without which an operation cannot be written, and some that lead further in. */
const FIELDS: Record<string, object> = {
  Create: { objectType: "SymmetricKey", attributes: AES },
  CreateKeyPair: {
    commonAttributes: {
      cryptographicAlgorithm: "EC",
      cryptographicDomainParameters: { recommendedCurve: "P_256" },
    },
    privateKeyAttributes: { cryptographicUsageMask: ["Sign"] },
    publicKeyAttributes: { cryptographicUsageMask: ["Verify"] },
  },
  Locate: { maximumItems: 3, attributes: AES },
  Get: { keyFormatType: "Raw" },
  GetAttributes: { attributeReference: [] },
  AddAttribute: { newAttribute: { contactInformation: "me" } },
  ModifyAttribute: { newAttribute: { contactInformation: "you" } },
  SetAttribute: { newAttribute: { contactInformation: "her" } },
  DeleteAttribute: { attributeReference: "contactInformation" },
  AdjustAttribute: { attributeReference: "fresh", adjustmentType: "Negate" },
  Revoke: { revocationReason: { revocationReasonCode: "KeyCompromise" } },
  Encrypt: {
    data,
    cryptographicParameters: { blockCipherMode: "GCM", tagLength: 16, cryptographicAlgorithm: "AES" },
    ivCounterNonce: new Uint8Array(12),
  },
  Decrypt: {
    data,
    cryptographicParameters: {
      blockCipherMode: "CBC",
      paddingMethod: "PKCS5",
      cryptographicAlgorithm: "AES",
    },
    ivCounterNonce: data,
  },
  Sign: { data, cryptographicParameters: { digitalSignatureAlgorithm: "ECDSAWithSHA256" } },
  SignatureVerify: {
    data,
    signatureData: data,
    cryptographicParameters: { digitalSignatureAlgorithm: "ECDSAWithSHA256" },
  },
  MAC: { data, cryptographicParameters: { cryptographicAlgorithm: "HMAC_SHA256" } },
  MACVerify: { data, macData: data, cryptographicParameters: { cryptographicAlgorithm: "HMAC_SHA256" } },
  Hash: { data, cryptographicParameters: { hashingAlgorithm: "SHA_256" } },
  RNGRetrieve: { dataLength: 16 },
  RNGSeed: { data },
  Query: { queryFunction: ["QueryOperations"] },
  DiscoverVersions: { protocolVersion: [] },
  DeriveKey: {
    objectType: "SymmetricKey",
    derivationMethod: "HMAC",
    derivationParameters: {
      cryptographicParameters: { hashingAlgorithm: "SHA_256" },
      derivationData: data,
    },
    attributes: AES,
  },
  Import: {
    objectType: "SymmetricKey",
    attributes: AES,
    object: {
      symmetricKey: {
        keyBlock: {
          keyFormatType: "Raw",
          keyValue: { keyMaterial: data },
          cryptographicAlgorithm: "AES",
          cryptographicLength: 128,
        },
      },
    },
  },
};
