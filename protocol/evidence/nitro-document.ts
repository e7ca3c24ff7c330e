/**
 * The attestation document of AWS Nitro, for enclaves and for NitroTPM: what it holds, and the bounds that AWS states
 * (aws-nitro-enclaves-nsm-api, docs/attestation_process.md §2.2 and §3.2.2; EC2 User Guide, "Validate a NitroTPM
 * Attestation Document").
 */
import { type CborMap, type CborValue, decodeCbor } from "./cbor.ts";
import { isBytes, isMap } from "./cose.ts";

export type NitroDocument = {
  /** What was measured: a Nitro enclave, or an instance by its NitroTPM, whose registers mean other things. */
  kind: "enclave" | "nitrotpm";
  /** The instance and what runs in it, `i-0de38b2b6853cc9e8-enc0193685e7fee7d85`. */
  moduleId: string;
  /** When it was made, milliseconds since 1970. */
  timestamp: number;
  /** Register by number, 32, 48 or 64 bytes each. */
  registers: ReadonlyMap<number, Uint8Array>;
  /** DER of the certificate whose key signed, and of its issuers, the root first. */
  certificate: Uint8Array;
  bundle: Uint8Array[];
  /** What the party that is attested put in; absent where the field is null or missing. */
  publicKey: Uint8Array | undefined;
  userData: Uint8Array | undefined;
  nonce: Uint8Array | undefined;
};

/** Bytes of the document, of a certificate, and of what a party puts in. */
const MAX_DOCUMENT = 16_384;
const MAX_CERTIFICATE = 1024;
const MAX_FIELD = 1024;
/** AWS sends four; a path has eight certificates at the most. */
const MAX_BUNDLE = 7;
const MAX_REGISTERS = 32;
const REGISTER_LENGTHS = [32, 48, 64];

const FIELDS = new Set([
  "module_id",
  "digest",
  "timestamp",
  "pcrs",
  "nitrotpm_pcrs",
  "certificate",
  "cabundle",
  "public_key",
  "user_data",
  "nonce",
]);

/** Parses the payload of a signed document. Throws an `Error` for anything that AWS does not allow in it. */
export function parseNitroDocument(payload: Uint8Array): NitroDocument {
  if (payload.length > MAX_DOCUMENT) throw new Error("the document is too long");
  const fields = decodeCbor(payload);
  if (!isMap(fields)) throw new Error("the document is not a map");
  for (const name of fields.keys())
    if (typeof name !== "string" || !FIELDS.has(name)) throw new Error("a field that is not known here");
  const moduleId = fields.get("module_id");
  if (typeof moduleId !== "string" || moduleId === "") throw new Error("the module id is missing");
  if (fields.get("digest") !== "SHA384") throw new Error("another digest than SHA384");
  const timestamp = fields.get("timestamp");
  if (typeof timestamp !== "number" || timestamp <= 0) throw new Error("the time is missing");
  const kind = fields.has("nitrotpm_pcrs") ? "nitrotpm" : "enclave";
  if (kind === "nitrotpm" && fields.has("pcrs")) throw new Error("registers of two kinds");
  const bundle = fields.get("cabundle");
  if (!Array.isArray(bundle) || bundle.length === 0 || bundle.length > MAX_BUNDLE)
    throw new Error("the bundle of certificates is missing, or too long");
  return {
    kind,
    moduleId,
    timestamp,
    registers: registersIn(fields.get(kind === "enclave" ? "pcrs" : "nitrotpm_pcrs")),
    certificate: certificateIn(fields.get("certificate")),
    bundle: bundle.map(certificateIn),
    // The prose says up to 512 bytes for the last two, the CDDL 1,024.
    publicKey: fieldIn(fields, "public_key", 1),
    userData: fieldIn(fields, "user_data", 0),
    nonce: fieldIn(fields, "nonce", 0),
  };
}

function registersIn(value: CborValue | undefined): Map<number, Uint8Array> {
  if (!isMap(value) || value.size === 0 || value.size > MAX_REGISTERS)
    throw new Error("the registers are missing, or too many");
  const registers = new Map<number, Uint8Array>();
  for (const [index, register] of value) {
    if (typeof index !== "number" || index < 0 || index >= MAX_REGISTERS) throw new Error("no such register");
    if (!isBytes(register) || !REGISTER_LENGTHS.includes(register.length))
      throw new Error("a register of another length");
    registers.set(index, register);
  }
  return registers;
}

function certificateIn(value: CborValue | undefined): Uint8Array {
  if (!isBytes(value) || value.length === 0 || value.length > MAX_CERTIFICATE)
    throw new Error("a certificate is missing, or too long");
  return value;
}

/** An optional field. Documents in the wild say null for what they do not have, though AWS's text forbids it. */
function fieldIn(fields: CborMap, name: string, shortest: number): Uint8Array | undefined {
  const value = fields.get(name) ?? undefined;
  if (value === undefined) return undefined;
  if (!isBytes(value) || value.length < shortest || value.length > MAX_FIELD)
    throw new Error(`${name} is not of an allowed length`);
  return value;
}
