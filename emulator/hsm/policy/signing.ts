import "reflect-metadata";
import { createPublicKey, X509Certificate } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { equalConstantTime } from "#protocol/bytes.ts";
import { CLOCK_TOLERANCE } from "#protocol/clock.ts";
import { CERTIFICATE, POLICY, policyAttribute, SIGN_TYPE } from "#protocol/hierarchy/index.ts";
import { jwsPart } from "#protocol/jws.ts";
import { MAX_JWS_LENGTH, protectedHeader } from "#protocol/keys/index.ts";
import { KmipError, type RequestPayload } from "#protocol/kmip/index.ts";
import { encode, INTEGER, SEQUENCE } from "#protocol/pki/der.ts";
import { readRevocationListToSign } from "#protocol/pki/index.ts";
import { isDestroyed, type ManagedObject } from "../store/managed-object.ts";
import { privateKeyOf } from "../store/material.ts";
import type { Work } from "../store/work.ts";
import type { Subject } from "./access.ts";
import { isInForce } from "./chain.ts";
import { classOf } from "./classes.ts";
import { readSubject } from "./read-certificate.ts";
import { isRestricted } from "./roles.ts";
import { checkSignature, isWhole } from "./signature-key.ts";

/**
 * What a signing key may sign (`POLICY.signType`): compact JWS of one `typ`, or certificates of an authority's
 * leaves and the list of those that it has revoked. A client that may use a key can still sign anything of that one kind; the HSM cannot know what is true.
 */

type Request = RequestPayload<"Sign">;
type Bytes = Uint8Array<ArrayBuffer>;

/** Throws unless the key may sign what the request has. The domains of a deployment use keys with a sign type only. */
export function checkSigned(
  subject: Subject,
  key: ManagedObject,
  request: Request,
  work: Work,
  now: Date,
): void {
  const type = policyAttribute(key.attributes, POLICY.signType);
  if (type === undefined) {
    if (classOf(key.attributes) === "signature") checkSignature(key, request, work, now);
    else if (isRestricted(subject.role)) refuse("Not a key for this identity's signatures");
    return;
  }
  if (!isWhole(request)) refuse("This key signs whole messages that it can read");
  const { data } = request;
  const { digitalSignatureAlgorithm, ...others } = request.cryptographicParameters ?? {};
  if (
    digitalSignatureAlgorithm !== "ECDSAWithSHA256" ||
    Object.values(others).some((one) => one !== undefined)
  )
    refuse("This key signs by ECDSA with SHA-256");
  if (type === CERTIFICATE) checkByAuthority(data, key, work, now);
  else checkSeedChannel(checkJws(data, type), type, work);
}

/** A signing input of RFC 7515 §7.1 whose header is the very text of {alg, typ, kid}: one reading, no other member. */
function checkJws(data: Uint8Array, typ: string): string {
  const [, header, payload = ""] =
    /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/.exec(Buffer.from(data).toString("latin1")) ?? [];
  if (header === undefined || data.length > MAX_JWS_LENGTH) throw notJws();
  const text = Buffer.from(header, "base64url").toString("latin1");
  const [, kid] = /"kid":"([A-Za-z0-9_-]{43})"}$/.exec(text) ?? [];
  if (kid === undefined || jwsPart(protectedHeader({ typ, kid })) !== header) throw notJws();
  return payload;
}

/**
 * A receipt for a channel that takes seeds (M9): signed for the share of an agreement key that was made here and no other, so that
 * whoever signs cannot put a share of their own before an instance. Read as its readers read it.
 */
function checkSeedChannel(payload: string, typ: string, work: Work): void {
  if (typ !== SIGN_TYPE.receipt) return;
  let said: { kind?: unknown; agreement?: unknown; share?: unknown } | null;
  try {
    said = JSON.parse(new TextDecoder().decode(Buffer.from(payload, "base64url")));
  } catch {
    // What is no JSON here is none to anybody.
    return;
  }
  if (said?.kind !== "channel") return;
  const agreement = typeof said.agreement === "string" ? work.get(said.agreement) : undefined;
  const isOurs = agreement && !isDestroyed(agreement) && classOf(agreement.attributes) === "agreement";
  const { x } = isOurs ? createPublicKey(privateKeyOf(agreement)).export({ format: "jwk" }) : {};
  if (x === undefined || said.share !== x) refuse("Not the share of a channel of this HSM");
}

function notJws(): KmipError {
  return new KmipError("PermissionDenied", "Not a JWS of this key's type");
}

/** ecdsa-with-SHA256 (RFC 5758 §3.2) and an empty signature: what makes a certificate of what is to be signed. */
const UNSIGNED = Uint8Array.from([
  ...[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
  ...[0x03, 0x09, 0x00, 0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01],
]);
/** [0] { INTEGER 2 }: version 3. */
const VERSION_3 = Buffer.from([0xa0, 0x03, 0x02, 0x01, 0x02]);
const SIGNS_OTHERS = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign;

/** Both are sequences: a certificate of version 3 begins with its version in [0], a list of version 2 with INTEGER 1. */
function checkByAuthority(data: Uint8Array, key: ManagedObject, work: Work, now: Date): void {
  const [tag, length = 0] = data;
  const first = data[length < 0x80 ? 2 : 2 + (length & 0x7f)];
  if (tag === SEQUENCE && first === INTEGER) checkRevocationList(data, key, work, now);
  else checkLeaf(data, key, work, now);
}

/** A list is good for so long at the most, so that who could once have one signed cannot hide later revocations with it. */
const LONGEST_LIST_MS = 8 * 24 * 3600 * 1000;
/** Either clock may be so far off. */
const TOLERANCE_MS = CLOCK_TOLERANCE * 1000;

/** A TBSCertList (RFC 5280 §5.1) of version 2, of now, in the name of the authority whose key this is. */
function checkRevocationList(data: Uint8Array, key: ManagedObject, work: Work, now: Date): void {
  const list = readOrRefuse(data);
  const from = list.thisUpdate - now.getTime();
  const life = list.nextUpdate - list.thisUpdate;
  if (Math.abs(from) > TOLERANCE_MS || life <= 0 || life > LONGEST_LIST_MS) refuse("Not a list of now");
  if (!namesOf(key, work, now).some((name) => equalConstantTime(name, list.issuer)))
    refuse("The issuer is not this authority");
}

function readOrRefuse(data: Uint8Array) {
  try {
    return readRevocationListToSign(data);
  } catch {
    return refuse("Not a revocation list that this key signs");
  }
}

/** A TBSCertificate (RFC 5280 §4.1) of version 3 for a leaf, in the name of the authority whose key this is. */
function checkLeaf(data: Uint8Array, key: ManagedObject, work: Work, now: Date): void {
  const leaf = certificateOf(data) ?? refuse("This key signs certificates only");
  const { extensions } = leaf;
  if (new Set(extensions.map(({ type }) => type)).size !== extensions.length) refuse("An extension twice");
  const constraints = leaf.getExtension(x509.BasicConstraintsExtension);
  const usages = leaf.getExtension(x509.KeyUsagesExtension)?.usages;
  if (!constraints || constraints.ca || usages === undefined || usages & SIGNS_OTHERS)
    refuse("This key certifies leaves only");
  const issuer = new Uint8Array(leaf.issuerName.toArrayBuffer());
  if (!namesOf(key, work, now).some((name) => equalConstantTime(name, issuer)))
    refuse("The issuer is not this authority");
}

function certificateOf(data: Uint8Array): x509.X509Certificate | undefined {
  const [tag, length = 0] = data;
  const header = length < 0x80 ? 2 : 2 + (length & 0x7f);
  if (tag !== SEQUENCE || !VERSION_3.equals(data.subarray(header, header + VERSION_3.length)))
    return undefined;
  const der = encode(SEQUENCE, data, UNSIGNED);
  try {
    // OpenSSL is strict where the other reader is not, and takes nothing that does not end here.
    return new X509Certificate(der).raw.equals(der) ? new x509.X509Certificate(der) : undefined;
  } catch {
    return undefined;
  }
}

/** The subjects of the live certificates of the same owner over this key. */
function namesOf(key: ManagedObject, work: Work, now: Date): Bytes[] {
  const spki = createPublicKey(privateKeyOf(key)).export({ format: "der", type: "spki" });
  return work
    .all([
      ["owner", key.owner],
      ["objectType", "Certificate"],
    ])
    .filter((object) => isInForce(object, now))
    .map(readSubject)
    .filter((certificate) => spki.equals(certificate.spki))
    .map(({ subject }) => new Uint8Array(subject.toArrayBuffer()));
}

function refuse(message: string): never {
  throw new KmipError("PermissionDenied", message);
}
