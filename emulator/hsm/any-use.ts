import "reflect-metadata";
import * as x509 from "@peculiar/x509";

/** Extensions that are understood where OpenSSL's verdict is not enough: key identifiers, uses, names, constraints. */
const UNDERSTOOD = new Set(["2.5.29.14", "2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.35", "2.5.29.37"]);

/**
 * Whether nothing but its extended key usage keeps a certificate from TLS client authentication: its key may sign
 * (RFC 5280 §4.2.1.3), and no critical extension is unknown (§4.2).
 */
export function readsAsAnyUse(der: Uint8Array): boolean {
  const { extensions } = new x509.X509Certificate(new Uint8Array(der));
  if (extensions.some(({ critical, type }) => critical && !UNDERSTOOD.has(type))) return false;
  const usages = extensions.find((one) => one instanceof x509.KeyUsagesExtension);
  return !usages || (usages.usages & x509.KeyUsageFlags.digitalSignature) !== 0;
}
