import { decodeBase64url, encodeBase64url } from "../base64url.ts";
import { concat, decodeHex, encodeHex, equalConstantTime, utf8 } from "../bytes.ts";
import { digest, sha256 } from "../digest.ts";
import { parseJson } from "../json.ts";
import { jwkFromSpki } from "../keys/index.ts";
import { PASSKEY_EVIDENCE, type PasskeyAssertion, passkeyChallenge } from "../passkey.ts";
import { certifiedKey } from "../pki/index.ts";
import { signatureFromDer } from "../pki/signature.ts";
import type { Tier } from "../policy/index.ts";
import { checked, object, text } from "../shape.ts";
import { objectIn, textOf } from "./claims.ts";
import type { EvidenceFormat, Expectation, Passkey } from "./format.ts";
import { checkNotRevoked } from "./revoked.ts";

/**
 * An assertion of Web Authentication (W3C, level 3 §7.2) by a passkey that the user has registered before, over the binder and the code that
 * runs. It shows an authenticator, its user, the vault's origin and the page around it. It says of the code what the vault's document
 * says, and no more.
 */
export const WEBAUTHN = {
  mediaType: PASSKEY_EVIDENCE,
  attestationType: 0x80000006,
  tier: "hardware",
  anchors: "keys",
  limit: 4096,
  async verify(evidence, expected) {
    const { id, measurement, ...parts } = readAssertion(evidence);
    const { passkeys = [], frame, production = false } = expected;
    const passkey = passkeys.find((one) => one.id === id);
    if (!passkey || !frame) throw new Error("a passkey that is not registered for this user");
    if (production && passkey.tier === "emulated")
      throw new Error("emulated platforms are not for production");
    const [authenticatorData, clientDataJSON, signature] = [
      parts.authenticatorData,
      parts.clientDataJSON,
      parts.signature,
    ].map(decodeBase64url) as [Bytes, Bytes, Bytes];
    const spki = publicKeyOf(passkey);
    await checkNotRevoked([spki], expected);
    const key = await crypto.subtle.importKey("spki", spki, ES256, true, ["verify"]);
    const signed = concat(authenticatorData, await sha256(clientDataJSON));
    if (!(await crypto.subtle.verify(ES256, key, signatureFromDer(signature), signed)))
      throw new Error("the signature is wrong");
    await checkClientData(clientDataJSON, expected, frame, decodeHex(measurement));
    const counter = await checkAuthenticatorData(authenticatorData, passkey, frame);
    return {
      measurements: { code: measurement },
      tier: await tierNow(passkey, expected),
      expires: expected.now + MAX_LIFETIME,
      platform: { counter: `${counter}` },
    };
  },
} as const satisfies EvidenceFormat;

type Bytes = Uint8Array<ArrayBuffer>;
type Frame = NonNullable<Expectation["frame"]>;

/** Milliseconds: its nonce is used once. */
const MAX_LIFETIME = 300_000;
const ES256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
/** Hash of the relying party's id, flags, counter (level 3 §6.1). */
const [RP_HASH, FLAGS, COUNTER, FIXED] = [32, 32, 33, 37];
/** User present, user verified, backup eligible, backed up, attested credential data. */
const [UP, UV, BE, BS, AT] = [0x01, 0x04, 0x08, 0x10, 0x40];

const part = text(1, 2048, /^[\w-]*$/);
const assertion = object({
  id: text(1, 1366, /^[\w-]*$/),
  authenticatorData: part,
  clientDataJSON: part,
  signature: text(1, 128, /^[\w-]*$/),
  measurement: text(96, 96, /^[0-9a-f]*$/),
});

/** The parts of evidence. Nothing of it is verified. Throws an `Error` for what is none. */
export function readAssertion(evidence: Uint8Array): PasskeyAssertion {
  return checked(assertion, parseJson(textOf(evidence)));
}

/** Of the authenticator, as an assertion has it; nothing is verified. */
export function counterOf(evidence: Uint8Array): number {
  const data = decodeBase64url(readAssertion(evidence).authenticatorData);
  if (data.length < FIXED) throw new Error("the authenticator data is cut off");
  return new DataView(data.buffer, data.byteOffset).getUint32(COUNTER);
}

function publicKeyOf({ publicKey }: Passkey): Bytes {
  const spki = decodeBase64url(publicKey);
  jwkFromSpki(spki); // P-256, uncompressed, and nothing else
  return spki;
}

/**
 * How far it can be trusted by the policy as it is now: a maker's root that went out of it since the passkey was registered vouches for
 * nothing any more. Throws an `Error` where a key on the maker's path is revoked.
 */
async function tierNow(
  { tier, certifiedBy = [] }: Passkey,
  { roots, revoked = [] }: Expectation,
): Promise<Tier> {
  if (certifiedBy.some((key) => revoked.includes(key)))
    throw new Error("a key of the passkey's maker is revoked");
  if (tier !== "hardware") return tier;
  const known = await Promise.all(roots.map(keyDigest));
  const root = certifiedBy.at(-1);
  return root !== undefined && known.includes(root) ? tier : "software";
}

/** Of the key in a certificate; undefined where it is none. */
async function keyDigest(certificate: Uint8Array): Promise<string | undefined> {
  try {
    return encodeHex(await sha256(certifiedKey(certificate)));
  } catch {
    return undefined;
  }
}

/** What the browser says of the request: the ceremony, its challenge, and which document in which page has asked. */
async function checkClientData(
  json: Uint8Array,
  { nonce, subject }: Expectation,
  frame: Frame,
  measurement: Uint8Array,
): Promise<void> {
  const { type, challenge, origin, crossOrigin, topOrigin } = objectIn(json);
  if (type !== "webauthn.get") throw new Error("not an assertion");
  const expected = encodeBase64url(await passkeyChallenge(nonce, subject, measurement));
  if (typeof challenge !== "string" || !equalConstantTime(utf8(challenge), utf8(expected)))
    throw new Error("another challenge: of another exchange, client or code");
  if (origin !== frame.vault) throw new Error("an assertion for another origin");
  if (crossOrigin !== true || topOrigin !== frame.app)
    throw new Error("an assertion in another page than the custodian's");
}

/** What the authenticator says. Answers its counter. */
async function checkAuthenticatorData(data: Bytes, passkey: Passkey, { vault }: Frame): Promise<number> {
  if (data.length < FIXED) throw new Error("the authenticator data is cut off");
  const party = await digest(new URL(vault).hostname);
  if (encodeBase64url(data.subarray(0, RP_HASH)) !== party) throw new Error("of another relying party");
  const flags = data[FLAGS] ?? 0;
  if ((flags & UP) === 0 || (flags & UV) === 0) throw new Error("the user was not verified");
  if ((flags & AT) !== 0) throw new Error("not the data of an assertion");
  const backup = (flags & BE) !== 0;
  if (backup !== passkey.backup || (!backup && (flags & BS) !== 0))
    throw new Error("the passkey is of another kind than when it was registered");
  const counter = new DataView(data.buffer, data.byteOffset).getUint32(COUNTER);
  if (counter <= passkey.counter && (counter !== 0 || passkey.counter !== 0))
    throw new Error("the passkey's counter did not go on");
  return counter;
}
