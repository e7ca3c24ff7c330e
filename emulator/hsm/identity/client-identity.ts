import { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { isReserved } from "#protocol/hierarchy/index.ts";
import { ANY_USE, CLIENT_AUTH, canNameAnyClient, canSign } from "./certificate-path.ts";
import type { Refusal } from "./refusal.ts";

export interface ClientAuthorities {
  /** The HSM's own, whose certificates may have the names that the hierarchy knows (PEM). */
  own: string;
  /** Others that the user trusts to name ordinary clients (PEM). */
  others: readonly string[];
}

/**
 * Who is at the other end: the one common name of a client certificate that TLS has verified against a client
 * authority and that is meant for client authentication. A refusal for anything else.
 */
export function clientIdentity(
  socket: TLSSocket,
  authorities: ClientAuthorities,
): { identity: string } | { refusal: Refusal } {
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) return refuse("no-certificate");
  const uses: readonly string[] = certificate.keyUsage ?? [];
  if (!socket.authorized) {
    const code = String(socket.authorizationError);
    // OpenSSL takes no certificate for any use (RFC 5280 §4.2.1.12), and Node's server lets it trust no intermediate
    // authority by itself, so that these paths are checked here.
    const any = code === "INVALID_PURPOSE" && uses.includes(ANY_USE) && !uses.includes(CLIENT_AUTH);
    if (!(any || PATH_GOES_ON.has(code)) || !isFromAuthority(certificate, authorities))
      return refuse(UNAUTHORIZED[code] ?? "certificate-invalid");
  }
  if (certificate.ca) return refuse("authority-certificate");
  if (!uses.includes(CLIENT_AUTH) && !uses.includes(ANY_USE)) return refuse("not-for-clients");
  const commonName: unknown = certificate.toLegacyObject().subject.CN;
  // An array is more than one common name: no telling which of them the authority meant.
  if (typeof commonName !== "string" || !isCommonName(commonName)) return refuse("common-name");
  if (isReserved(commonName) && !isIssuedBy(certificate, new X509Certificate(authorities.own)))
    return refuse("reserved-name");
  return { identity: commonName };
}

/** Whether a certificate that is taken here can have that common name. */
export function isCommonName(text: string): boolean {
  return /^[\x20-\x7e]{1,64}$/.test(text);
}

/** OpenSSL's verdicts where it looked for an authority above one that is trusted. */
const PATH_GOES_ON = new Set([
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
]);

/** Issued by a trusted authority itself, without another between, and good but for what OpenSSL missed. */
function isFromAuthority(certificate: X509Certificate, { own, others }: ClientAuthorities): boolean {
  if (!canSign(certificate.raw)) return false;
  const now = new Date();
  return [own, ...others]
    .map((pem) => new X509Certificate(pem))
    .some(
      (authority) =>
        isCurrent(authority, now) &&
        isCurrent(certificate, now) &&
        isIssuedBy(certificate, authority) &&
        canNameAnyClient(authority.raw),
    );
}

function isIssuedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  return authority.ca && certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
}

function isCurrent({ validFromDate, validToDate }: X509Certificate, now: Date): boolean {
  return validFromDate <= now && now <= validToDate;
}

const UNAUTHORIZED: Readonly<Record<string, keyof typeof REASONS>> = {
  INVALID_PURPOSE: "not-for-clients",
  UNABLE_TO_GET_ISSUER_CERT: "foreign-authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "foreign-authority",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "foreign-authority",
  SELF_SIGNED_CERT_IN_CHAIN: "foreign-authority",
  DEPTH_ZERO_SELF_SIGNED_CERT: "foreign-authority",
  CERT_SIGNATURE_FAILURE: "foreign-authority",
  CERT_UNTRUSTED: "foreign-authority",
  INVALID_CA: "foreign-authority",
  CERT_HAS_EXPIRED: "expired",
  CERT_NOT_YET_VALID: "not-yet-valid",
};

const REASONS = {
  "no-certificate": "The client showed no certificate: give it one, and its private key.",
  "not-for-clients":
    "The certificate is not for client authentication: its extended key usage must name clientAuth or any use.",
  "foreign-authority":
    "The certificate is from an authority that is not trusted here: take one that coffer hsm --client has issued, or name the authority with --client-ca.",
  expired: "The certificate has expired: take a new one.",
  "not-yet-valid": "The certificate is not valid yet: look at the clocks of both machines.",
  "certificate-invalid": "The certificate cannot be verified: take another.",
  "authority-certificate": "The certificate is an authority's: take one of a client.",
  "common-name":
    "The certificate's subject must have one common name, of 1 to 64 printable ASCII characters: it is the client's identity.",
  "reserved-name":
    "Common names that begin with 'coffer-' are kept for certificates of the HSM's own authority.",
} as const;

function refuse(code: keyof typeof REASONS): { refusal: Refusal } {
  return { refusal: { code, reason: REASONS[code] } };
}
