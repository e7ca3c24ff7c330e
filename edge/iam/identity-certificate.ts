import { decodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import { jwkFromSpki, thumbprint } from "#protocol/jwk.ts";
import { parseCertificate } from "#protocol/pki/index.ts";

/**
 * What a custodian says of its instance by the instance's identity certificate (base64url DER): its P-256 key, and until when. Who has
 * signed it does not matter: it is the custodian's word, and beside it the registration authority's is asked. Throws for anything else.
 */
export async function readIdentity(certificate: string): Promise<{ identityKey: string; notAfter: number }> {
  const { spki, notAfter } = parseCertificate(decodeBase64url(certificate));
  return { identityKey: await thumbprint(jwkFromSpki(spki)), notAfter: seconds(notAfter) };
}
