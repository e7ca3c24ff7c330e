import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import type { Hsm } from "./client.ts";

/**
 * Signs a compact JWS (RFC 7515 §7.1) with ES256 by the HSM's private key `name`. The header is exactly {alg, typ, kid}:
 * no `jwk`, `jku`, `x5u` or `crit` can slip in.
 */
export async function signCompact(
  hsm: Pick<Hsm, "sign">,
  name: string,
  header: { typ: string; kid: string },
  payload: object,
): Promise<string> {
  const { typ, kid } = header;
  const encodedHeader = encodeBase64url(utf8(JSON.stringify({ alg: "ES256", typ, kid })));
  const input = `${encodedHeader}.${encodeBase64url(utf8(JSON.stringify(payload)))}`;
  return `${input}.${encodeBase64url(await hsm.sign(name, utf8(input)))}`;
}
