import "reflect-metadata";
import * as x509 from "@peculiar/x509";

/** Extensions that are understood where OpenSSL's verdict is not enough: key identifiers, uses, names, constraints. */
const UNDERSTOOD = new Set(["2.5.29.14", "2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.35", "2.5.29.37"]);

export const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
export const ANY_USE = "2.5.29.37.0";
const NAME_CONSTRAINTS = "2.5.29.30";

/** Whether a client's key may sign (RFC 5280 §4.2.1.3), and no critical extension is unknown (§4.2). */
export function canSign(der: Uint8Array): boolean {
  const { extensions } = new x509.X509Certificate(new Uint8Array(der));
  if (hasUnknown(extensions)) return false;
  const usages = extensions.find((one) => one instanceof x509.KeyUsagesExtension);
  return !usages || (usages.usages & x509.KeyUsageFlags.digitalSignature) !== 0;
}

/** Whether an authority is limited neither in the names (RFC 5280 §4.2.1.10) nor in the uses that it can give. */
export function canNameAnyClient(der: Uint8Array): boolean {
  const { extensions } = new x509.X509Certificate(new Uint8Array(der));
  if (hasUnknown(extensions) || extensions.some(({ type }) => type === NAME_CONSTRAINTS)) return false;
  const uses = extensions.find((one) => one instanceof x509.ExtendedKeyUsageExtension)?.usages;
  return !uses || uses.some((use) => use === CLIENT_AUTH || use === ANY_USE);
}

function hasUnknown(extensions: readonly x509.Extension[]): boolean {
  return extensions.some(({ critical, type }) => critical && !UNDERSTOOD.has(type));
}
