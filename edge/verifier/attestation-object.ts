/** Attestation objects of Web Authentication (level 3 §6.5.4), read within bounds before anyone else sees them. */
import { encodeBase64url } from "#protocol/base64url.ts";
import { decodeHex, encodeHex, join } from "#protocol/bytes.ts";
import { type CborMap, type CborValue, decodeCbor } from "#protocol/evidence/index.ts";
import { spkiFromJwk } from "#protocol/jwk.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What is in one that may be verified. Nothing of it is. */
export type AttestationObject = {
  format: Format;
  /** What is handed on: as it came, or without a statement that nobody reads. */
  object: Bytes;
  /** Certificates (DER), that of the key which signed first; none where the passkey's own has signed, or nobody. */
  certificates: Bytes[];
  /** The authenticator's model, 16 bytes. */
  aaguid: Bytes;
  /** SubjectPublicKeyInfo of the passkey, P-256. */
  publicKey: Bytes;
};

const bytes = (most: number) => (value: CborValue | undefined) =>
  value instanceof Uint8Array && value.length > 0 && value.length <= most;
const sig = bytes(1024);
const alg = (value: CborValue | undefined) => typeof value === "number" && Math.abs(value) <= 0xffff;
const x5c = (value: CborValue | undefined) =>
  Array.isArray(value) && value.length >= 1 && value.length <= 5 && value.every(bytes(4096));
const absent = (value: CborValue | undefined) => value === undefined;

/**
 * Members of a statement by its format (§8).
 */
const STATEMENTS = {
  none: {},
  packed: { alg, sig, x5c: (value: CborValue | undefined) => absent(value) || x5c(value) },
  "fido-u2f": { sig, x5c },
  tpm: {
    ...{ ver: (value: CborValue | undefined) => value === "2.0", alg, sig, x5c },
    ...{ certInfo: bytes(1024), pubArea: bytes(1024) },
  },
} as const satisfies Record<string, Record<string, (value: CborValue | undefined) => boolean>>;
type Format = keyof typeof STATEMENTS;

/**
 * Formats whose statements are dropped unread, so that nobody vouches for such a passkey: for those the library has roots of its own, and
 * asks whatever addresses a certificate names for revocation lists.
 */
const DROPPED = new Set<CborValue | undefined>(["android-key", "android-safetynet", "apple", "compound"]);

/** Throws an `Error` with the reason, for a log alone, for one that is not of its shape, or of a format that is not taken. */
export function readAttestationObject(encoded: Uint8Array): AttestationObject {
  const object = decodeCbor(encoded);
  if (!isMap(object) || object.size !== 3) throw new Error("not an attestation object");
  const [format, statement, data] = ["fmt", "attStmt", "authData"].map((name) => object.get(name));
  if (!(data instanceof Uint8Array)) throw new Error("not an attestation object");
  if (DROPPED.has(format))
    return { format: "none", object: bare(data), certificates: [], ...credentialIn(data) };
  if (!isFormat(format)) throw new Error("a statement of a format that is not taken");
  if (!isMap(statement)) throw new Error("not an attestation object");
  const members: Record<string, (value: CborValue | undefined) => boolean> = STATEMENTS[format];
  const known = [...statement.keys()].every((name) => Object.hasOwn(members, name));
  if (!known || !Object.entries(members).every(([name, fits]) => fits(statement.get(name))))
    throw new Error(`not a statement of the format ${format}`);
  const certificates = statement.get("x5c");
  return {
    format,
    object: encoded.slice(),
    certificates: Array.isArray(certificates) ? certificates.filter(isBytes).map((der) => der.slice()) : [],
    ...credentialIn(data),
  };
}

/** An attestation object around this data with no statement (§8.7), in CBOR: `fmt` "none", `attStmt` {}, `authData`. */
function bare(data: Uint8Array): Bytes {
  const before = decodeHex("a363666d74646e6f6e656761747453746d74a068617574684461746159");
  return join([before, new Uint8Array([data.length >> 8, data.length & 0xff]), data]);
}

/** Flags: attested credential data, extension data (§6.1). */
const [AT, ED] = [0x40, 0x80];
/** Offsets: hash of the relying party's id, flags, counter; then model, length of the credential's id (§6.5.1). */
const [FLAGS, MODEL, ID_LENGTH, ID] = [32, 37, 53, 55];
const MAX_ID = 1023;
/** COSE_Key of ES256 on P-256 in the one form that it has for CTAP 2 (canonical CBOR): what stands before x and before y, 77 bytes with both. */
const [BEFORE_X, BEFORE_Y, KEY] = ["a5010203262001215820", "225820", 77];

/** The passkey's key is not left to a reader that takes a number for one of its coordinates. */
function credentialIn(data: Uint8Array): Pick<AttestationObject, "aaguid" | "publicKey"> {
  const flags = data[FLAGS] ?? 0;
  if (data.length < ID || (flags & AT) === 0) throw new Error("no passkey in the authenticator data");
  const length = new DataView(data.buffer, data.byteOffset).getUint16(ID_LENGTH);
  const key = data.slice(ID + length, ID + length + KEY);
  if (length > MAX_ID || key.length !== KEY) throw new Error("the authenticator data is cut off");
  if (encodeHex(key.subarray(0, 10)) !== BEFORE_X || encodeHex(key.subarray(42, 45)) !== BEFORE_Y)
    throw new Error("not a key of P-256");
  const rest = data.subarray(ID + length + KEY);
  const whole = (flags & ED) === 0 ? rest.length === 0 : isMap(decodeCbor(rest));
  if (!whole) throw new Error("authenticator data with other things in it");
  const [x, y] = [key.subarray(10, 42), key.subarray(45)].map(encodeBase64url) as [string, string];
  return {
    aaguid: data.slice(MODEL, ID_LENGTH),
    publicKey: spkiFromJwk({ kty: "EC", crv: "P-256", x, y }),
  };
}

function isFormat(value: CborValue | undefined): value is Format {
  return typeof value === "string" && Object.hasOwn(STATEMENTS, value);
}

function isMap(value: CborValue | undefined): value is CborMap {
  return value instanceof Map;
}

function isBytes(value: CborValue): value is Uint8Array {
  return value instanceof Uint8Array;
}
