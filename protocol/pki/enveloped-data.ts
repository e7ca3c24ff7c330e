/**
 * CMS EnvelopedData (RFC 5652 §6) with one recipient, as AWS KMS encrypts a key to whom an attestation document names: the content-encryption
 * key by RSAES-OAEP with SHA-256 (RFC 4055 §4.1), the content by AES-256-CBC. BER, of indefinite lengths too (X.690 §8.1.3), and the
 * encrypted content in one piece or constructed: AWS KMS writes both. No crypto here: what is encrypted is given out as it is.
 */

import { concat, encodeHex } from "../bytes.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** `encryptedKey`: under the recipient's RSA key. `iv`: 16 bytes. `content`: AES-CBC with PKCS#7 padding. */
export type EnvelopedData = { encryptedKey: Bytes; iv: Bytes; content: Bytes };

/** AWS's have some 500 bytes, and 256 more under a key of 4096 bits. */
const MAXIMUM = 2048;
const MAX_DEPTH = 12;

type Node = { tag: number; contents: Uint8Array; children: Node[] };

const [SEQUENCE, SET, INTEGER, OCTETS, OID, NULL] = [0x30, 0x31, 0x02, 0x04, 0x06, 0x05];
/** [0], constructed and primitive. */
const [CONTEXT, IMPLICIT] = [0xa0, 0x80];

const ENVELOPED_DATA = "2a864886f70d010703";
const DATA = "2a864886f70d010701";
const AES_256_CBC = "60864801650304012a";
const RSAES_OAEP = "2a864886f70d010107";
const MGF1 = "2a864886f70d010108";
const SHA_256 = "608648016503040201";

/** Throws `TypeError` for what is anything else. */
export function parseEnvelopedData(bytes: Uint8Array): EnvelopedData {
  if (bytes.length > MAXIMUM) throw new TypeError("CMS is too long");
  const { node, end } = read(bytes, 0, 0);
  if (end !== bytes.length) throw new TypeError("more than CMS");
  const [type, outer] = children(node, SEQUENCE, 2);
  identified(type, ENVELOPED_DATA);
  const [enveloped] = children(outer, CONTEXT, 1);
  const [version, recipients, encrypted] = children(enveloped, SEQUENCE, 3);
  isTwo(version);
  const [recipient] = children(recipients, SET, 1);
  const [ofRecipient, subjectKey, algorithm, key] = children(recipient, SEQUENCE, 4);
  isTwo(ofRecipient);
  if (subjectKey?.tag !== IMPLICIT || subjectKey.contents.length > 64)
    throw new TypeError("no subject key identifier");
  isOaep(algorithm);
  const [contentType, contentAlgorithm, content] = children(encrypted, SEQUENCE, 3);
  identified(contentType, DATA);
  const [cipher, iv] = children(contentAlgorithm, SEQUENCE, 2);
  identified(cipher, AES_256_CBC);
  const found = { encryptedKey: octets(key), iv: octets(iv), content: octetsOf(content) };
  if (found.iv.length !== 16 || found.content.length === 0 || found.content.length % 16 !== 0)
    throw new TypeError("not AES-CBC");
  return found;
}

/** With SHA-256, MGF1 with SHA-256 and no label (RFC 4055 §4.1). */
function isOaep(node: Node | undefined): void {
  const [name, parameters] = children(node, SEQUENCE, 2);
  identified(name, RSAES_OAEP);
  const [hash, mask] = children(parameters, SEQUENCE, 2);
  const [hashed] = children(hash, CONTEXT, 1);
  isSha256(hashed);
  const [masked] = children(mask, CONTEXT | 1, 1);
  const [generator, by] = children(masked, SEQUENCE, 2);
  identified(generator, MGF1);
  isSha256(by);
}

/** Its parameters are NULL or left out (RFC 4055 §2.1). */
function isSha256(node: Node | undefined): void {
  const [name, nothing] = children(node, SEQUENCE, node?.children.length === 1 ? 1 : 2);
  identified(name, SHA_256);
  if (nothing !== undefined && (nothing.tag !== NULL || nothing.contents.length > 0))
    throw new TypeError("parameters of a hash");
}

function children(node: Node | undefined, tag: number, count: number): Node[] {
  if (node?.tag !== tag || node.children.length !== count) throw new TypeError("not this CMS");
  return node.children;
}

function identified(node: Node | undefined, oid: string): void {
  if (node?.tag !== OID || encodeHex(node.contents) !== oid) throw new TypeError("another algorithm or type");
}

function isTwo(node: Node | undefined): void {
  if (node?.tag !== INTEGER || encodeHex(node.contents) !== "02") throw new TypeError("another version");
}

function octets(node: Node | undefined): Bytes {
  if (node?.tag !== OCTETS) throw new TypeError("not bytes");
  return new Uint8Array(node.contents);
}

/** [0] IMPLICIT OCTET STRING: in one piece, or of pieces. */
function octetsOf(node: Node | undefined): Bytes {
  if (node?.tag === IMPLICIT) return new Uint8Array(node.contents);
  if (node?.tag !== CONTEXT) throw new TypeError("no encrypted content");
  return concat(...node.children.map(octets));
}

/** One value from `at`. With an indefinite length it ends at two zero bytes on its own level. */
function read(bytes: Uint8Array, at: number, depth: number): { node: Node; end: number } {
  const [tag = 0, first = -1] = [bytes[at], bytes[at + 1]];
  if (depth > MAX_DEPTH || (tag & 0x1f) === 0x1f || first < 0) throw new TypeError("not BER");
  const constructed = (tag & 0x20) !== 0;
  const isOpen = first === 0x80;
  if (isOpen && !constructed) throw new TypeError("not BER");
  let from = at + 2;
  let length = first;
  if (first > 0x80) {
    const count = first & 0x7f;
    if (count > 2) throw new TypeError("a length that no such CMS has");
    length = 0;
    for (let n = 0; n < count; n++) length = length * 256 + (bytes[from++] ?? Number.NaN);
  }
  const stop = isOpen ? bytes.length : from + length;
  if (!(stop <= bytes.length)) throw new TypeError("CMS is cut off");
  if (!constructed) return { node: { tag, contents: bytes.subarray(from, stop), children: [] }, end: stop };
  const found: Node[] = [];
  let next = from;
  while (isOpen ? bytes[next] !== 0 || bytes[next + 1] !== 0 : next < stop) {
    if (next >= stop) throw new TypeError("CMS is cut off");
    const { node, end } = read(bytes, next, depth + 1);
    found.push(node);
    next = end;
  }
  if (!isOpen && next !== stop) throw new TypeError("not BER");
  return {
    node: { tag, contents: bytes.subarray(from, next), children: found },
    end: isOpen ? next + 2 : stop,
  };
}
