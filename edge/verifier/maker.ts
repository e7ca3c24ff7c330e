/** Certification paths of makers of authenticators, to roots that a policy has. Nobody is asked for anything over the network. */
import "reflect-metadata";
import {
  BasicConstraintsExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  X509Certificate,
} from "@peculiar/x509";
import { concat, encodeHex, equalConstantTime } from "#protocol/bytes.ts";
import { sha256 } from "#protocol/digest.ts";
import { checkNotRevoked } from "#protocol/evidence/index.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Under = { roots: readonly Uint8Array[]; revoked: readonly string[]; aaguid: Uint8Array; now: number };

const BASIC_CONSTRAINTS = "2.5.29.19";
const KEY_USAGE = "2.5.29.15";
/** id-fido-gen-ce-aaguid (Web Authentication, level 3 §8.2.1): an OCTET STRING of 16 bytes in the extension's own. */
const AAGUID = "1.3.6.1.4.1.45724.1.1.4";
/** Extensions on which a certificate may insist: besides the two, names, policies and purposes, which let nobody issue more. */
const UNDERSTOOD = [BASIC_CONSTRAINTS, KEY_USAGE, "2.5.29.17", "2.5.29.32", "2.5.29.37"];
const HASHES = ["SHA-256", "SHA-384", "SHA-512"];

/**
 * SHA-256 (lower-case hex) of the public keys on the path from the certificate that stands first to one of the roots, which is the last of them;
 * null where there is no path. `now` in milliseconds. Throws an `Error` where one of the keys is revoked, whoever certified it.
 */
export async function pathToRoot(
  certificates: readonly Bytes[],
  { roots, revoked, aaguid, now }: Under,
): Promise<string[] | null> {
  const path = certificates.flatMap(read);
  if (path.length !== certificates.length) return null;
  await checkNotRevoked(path.map(spkiOf), { revoked });
  for (const root of roots.flatMap(read)) {
    const at = path.findIndex((one) => equalConstantTime(derOf(one), derOf(root)));
    const whole = [...(at === -1 ? path : path.slice(0, at)), root];
    const sound = whole.length > 1 && (await isPath(whole, aaguid, now).catch(() => false));
    if (!sound) continue;
    await checkNotRevoked([spkiOf(root)], { revoked });
    return Promise.all(whole.map(async (one) => encodeHex(await sha256(spkiOf(one)))));
  }
  return null;
}

/** Path validation (RFC 5280 §6.1) from the leaf to its root, as `verifyChain` of protocol/pki has it, for the algorithms that makers use. */
async function isPath(path: readonly X509Certificate[], aaguid: Uint8Array, now: number): Promise<boolean> {
  if (!isOfModel(path[0], aaguid)) return false;
  for (const [i, certificate] of path.entries()) {
    const issuer = path[i + 1] ?? certificate;
    if (!(certificate.notBefore.getTime() <= now && now <= certificate.notAfter.getTime())) return false;
    if (
      !isUnderstood(certificate.extensions) ||
      !(i === 0 ? isLeaf(certificate) : mayIssue(certificate, i - 1))
    )
      return false;
    if (i === path.length - 1) return true; // the policy vouches for it
    const [named, name] = [certificate.issuerName, issuer.subjectName].map(
      (one) => new Uint8Array(one.toArrayBuffer()),
    );
    const hash = certificate.signatureAlgorithm.hash?.name ?? "";
    if (!named || !name || !equalConstantTime(named, name) || !HASHES.includes(hash)) return false;
    if (!(await certificate.verify({ publicKey: issuer.publicKey, signatureOnly: true }, crypto)))
      return false;
  }
  return false;
}

/** Whether it is an authority that may sign certificates with `below` others between it and the leaf. */
function mayIssue(certificate: X509Certificate, below: number): boolean {
  const constraints = certificate.getExtension(BasicConstraintsExtension);
  const usage = certificate.getExtension(KeyUsagesExtension);
  if (!constraints?.ca || !usage || !(usage.usages & KeyUsageFlags.keyCertSign)) return false;
  return (constraints.pathLength ?? Number.POSITIVE_INFINITY) >= below;
}

function isLeaf(certificate: X509Certificate): boolean {
  return !certificate.getExtension(BasicConstraintsExtension)?.ca;
}

function isUnderstood(extensions: readonly Extension[]): boolean {
  const types = extensions.map(({ type }) => type);
  if (new Set(types).size !== types.length) return false;
  return extensions.every(({ type, critical }) => !critical || UNDERSTOOD.includes(type));
}

/** Whether the certificate names no model, or the authenticator's. */
function isOfModel(certificate: X509Certificate | undefined, aaguid: Uint8Array): boolean {
  const named = certificate?.extensions.find(({ type }) => type === AAGUID);
  return !named || equalConstantTime(new Uint8Array(named.value), concat(new Uint8Array([4, 16]), aaguid));
}

/** None where it is no certificate. */
function read(der: Uint8Array): X509Certificate[] {
  try {
    return [new X509Certificate(new Uint8Array(der))];
  } catch {
    return [];
  }
}

function derOf({ rawData }: X509Certificate): Bytes {
  return new Uint8Array(rawData);
}

function spkiOf({ publicKey }: X509Certificate): Bytes {
  return new Uint8Array(publicKey.rawData);
}
