/** A request for keys that the KMS retains as an instance sends it (M11), open to tampering. */

import { encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import { type RetainedRequest, retainedInput } from "#protocol/keys/index.ts";
import type { EdgeClient } from "./edge-client.ts";
import type { EnrolmentAnswer, Keys } from "./instance.ts";

const ECDSA = { name: "ECDSA", hash: "SHA-256" };

export async function retainedRequest(
  { client, keys, enrolled }: { client: EdgeClient; keys: Keys; enrolled: EnrolmentAnswer },
  of: Partial<RetainedRequest> = {},
): Promise<RetainedRequest> {
  const said = {
    ...{ instance: enrolled.instance, custodian: enrolled.custodian, account: client.account },
    identityCertificate: enrolled.identityCertificate,
    jti: encodeBase64url(crypto.getRandomValues(new Uint8Array(16))),
    iat: seconds(Date.now()),
    ...of,
  };
  const signature = await crypto.subtle.sign(ECDSA, keys.identity.privateKey, await retainedInput(said));
  return { ...said, proof: of.proof ?? encodeBase64url(new Uint8Array(signature)) };
}
