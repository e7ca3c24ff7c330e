/** A grant to load keys as an instance presents it (M7), open to tampering. */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { digest } from "#protocol/digest.ts";
import { type Presentation, presentationInput } from "#protocol/keys/index.ts";
import type { EnrolmentAnswer, Keys } from "./instance.ts";

const { subtle } = globalThis.crypto;
const ECDSA = { name: "ECDSA", hash: "SHA-256" };

/** The body, and the private half of its share. */
export async function presentation(
  { keys, enrolled }: { keys: Keys; enrolled: EnrolmentAnswer },
  grant: string,
  edks: string[],
  change: Partial<Presentation> = {},
  inputOf = presentationInput,
): Promise<{ body: Presentation; privateKey: CryptoKey }> {
  const pair = (await subtle.generateKey("X25519", false, ["deriveKey"])) as CryptoKeyPair;
  const raw = encodeBase64url(new Uint8Array(await subtle.exportKey("raw", pair.publicKey)));
  const share = change.share ?? raw;
  const recipient = await digest(decodeBase64url(enrolled.wrappingCertificate));
  const input = await inputOf({ grant, share, recipient, edks });
  const proof = encodeBase64url(new Uint8Array(await subtle.sign(ECDSA, keys.identity.privateKey, input)));
  const { identityCertificate } = enrolled;
  return { body: { grant, edks, share, identityCertificate, proof, ...change }, privateKey: pair.privateKey };
}
