import type { TLSSocket } from "node:tls";

const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

/**
 * Who is at the other end: the one common name of a client certificate that TLS has verified against the client
 * authority and that is meant for client authentication. Undefined (refuse) for anything else.
 */
export function clientIdentity(socket: TLSSocket): string | undefined {
  if (!socket.authorized) return undefined;
  const certificate = socket.getPeerX509Certificate();
  if (!certificate || certificate.ca) return undefined;
  if (!certificate.keyUsage?.includes(CLIENT_AUTH)) return undefined;
  const commonName: unknown = certificate.toLegacyObject().subject.CN;
  // An array is more than one common name: no telling which of them the authority meant.
  return typeof commonName === "string" && isCommonName(commonName) ? commonName : undefined;
}

/** Whether a certificate that is taken here can have that common name. */
export function isCommonName(text: string): boolean {
  return /^[\x20-\x7e]{1,64}$/.test(text);
}
