/** Who is at the other end of a channel: a party by its certificate, and what it signs with that certificate's key (M14). */
import { decodeBase64url } from "../base64url.ts";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { DIGITAL_SIGNATURE } from "./extensions.ts";
import { nameText } from "./name.ts";
import { verifyChain } from "./path.ts";
import { ECDSA_P256 } from "./signature.ts";

type Subtle = Pick<SubtleCrypto, "importKey" | "verify">;

/** `name`: the subject's Distinguished Name, as `nameText` has it. */
export type Party = { name: string; certificate: Certificate };

/**
 * The party of the first of these certificates (DER), which lead by the authority of this name to the pinned root at `now` (milliseconds) and
 * whose key signs and does nothing else. Throws `TypeError`.
 */
export async function certifiedParty(
  subtle: Subtle,
  path: Uint8Array[],
  { authority, rootSpki, now }: { authority: string; rootSpki: Uint8Array; now: number },
): Promise<Party> {
  const chain = path.map((der) => parseCertificate(der));
  await verifyChain(subtle, chain, rootSpki, now);
  const [certificate, issuer] = chain;
  // What another authority certifies is no such party, whatever name it has been given.
  if (!issuer || nameText(issuer.subject) !== authority) throw new TypeError("another authority");
  if (certificate?.keyUsage !== DIGITAL_SIGNATURE) throw new TypeError("another key usage");
  return { name: nameText(certificate.subject), certificate };
}

/** Whether the party has signed: ECDSA P-256 with SHA-256, r || s in base64url. Throws `TypeError` for another kind of key. */
export async function signedBy(
  subtle: Subtle,
  { certificate: { spki } }: Party,
  signature: string,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const { algorithm } = ECDSA_P256;
  const key = await subtle.importKey("spki", new Uint8Array(spki), algorithm, true, ["verify"]);
  return subtle.verify(algorithm, key, decodeBase64url(signature), bytes);
}
