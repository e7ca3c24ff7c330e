import { utf8 } from "#protocol/bytes.ts";
import { joinJws, signingInput } from "#protocol/keys/index.ts";
import type { Signer } from "./signer.ts";

/**
 * Signs a compact JWS (RFC 7515 §7.1) with ES256 by the HSM's private key `name`. The header is exactly {alg, typ, kid}:
 * no `jwk`, `jku`, `x5u` or `crit` can slip in.
 */
export async function signCompact(
  hsm: Signer,
  name: string,
  header: { typ: string; kid: string },
  payload: object,
): Promise<string> {
  const input = signingInput(header, payload);
  return joinJws(input, await hsm.sign(name, utf8(input)));
}
