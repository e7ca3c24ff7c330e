/** CMS EnvelopedData as AWS KMS writes it (protocol/pki/enveloped-data.ts reads it), by Node's crypto. */
import { constants, createCipheriv, createPublicKey, publicEncrypt, randomBytes } from "node:crypto";
import { concat } from "#protocol/bytes.ts";
import {
  CONTEXT,
  encode,
  INTEGER,
  OCTET_STRING,
  objectIdentifier,
  SEQUENCE,
  SET,
} from "#protocol/pki/der.ts";

const END = new Uint8Array(2);
const NULL = encode(0x05);

/** Of an indefinite length. */
function open(tag: number, ...contents: Uint8Array[]): Uint8Array {
  return concat(new Uint8Array([tag, 0x80]), ...contents, END);
}

/** To the RSA key of that SubjectPublicKeyInfo. `inPieces`: the encrypted content as a constructed value, else in one piece; AWS writes both. */
export function envelopedData(
  spki: Uint8Array,
  content: Uint8Array,
  inPieces: boolean,
): Uint8Array<ArrayBuffer> {
  const [contentKey, iv] = [randomBytes(32), randomBytes(16)];
  const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
  const encryptedKey = publicEncrypt(
    { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" },
    contentKey,
  );
  const cipher = createCipheriv("aes-256-cbc", contentKey, iv);
  const encrypted = Buffer.concat([cipher.update(content), cipher.final()]);
  const sha256 = encode(SEQUENCE, objectIdentifier("2.16.840.1.101.3.4.2.1"), NULL);
  const mgf = encode(SEQUENCE, objectIdentifier("1.2.840.113549.1.1.8"), sha256);
  const oaep = encode(SEQUENCE, encode(CONTEXT, sha256), encode(CONTEXT | 1, mgf));
  const two = encode(INTEGER, new Uint8Array([2]));
  const recipient = encode(
    SEQUENCE,
    two,
    encode(0x80, randomBytes(32)),
    encode(SEQUENCE, objectIdentifier("1.2.840.113549.1.1.7"), oaep),
    encode(OCTET_STRING, encryptedKey),
  );
  const aes = encode(SEQUENCE, objectIdentifier("2.16.840.1.101.3.4.1.42"), encode(OCTET_STRING, iv));
  const data = inPieces ? open(CONTEXT, encode(OCTET_STRING, encrypted)) : encode(0x80, encrypted);
  const of = open(SEQUENCE, objectIdentifier("1.2.840.113549.1.7.1"), aes, data);
  const enveloped = open(SEQUENCE, two, encode(SET, recipient), of);
  return concat(open(SEQUENCE, objectIdentifier("1.2.840.113549.1.7.3"), open(CONTEXT, enveloped)));
}
