/**
 * A channel from the HSM to an instance (M7): what both ends and the KMS bind it to. X25519 (RFC 7748) between a key pair that the
 * instance makes and one that the HSM makes, each for one presentation of a grant; HKDF-SHA-256 (RFC 5869) over what follows
 * here; AES-256-GCM. What passes is wrapped to the instance already.
 */

import { utf8 } from "../bytes.ts";
import { digest } from "../digest.ts";
import { SEED_CHANNEL } from "../seed.ts";
import { canonicalJws } from "./low-s.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export type ChannelOf = {
  grant: string;
  /** The instance's share: raw, 32 bytes, base64url. */
  share: string;
  /** SHA-256 of the instance's wrapping certificate, base64url. */
  recipient: string;
  /** In their order. */
  edks: readonly string[];
};

/** Of a symmetric app-specific key, which comes without a grant: for the challenge of the instance that asks. */
export function appKeyChannel(of: { challenge: string; share: string; recipient: string }): ChannelOf {
  return { grant: `app-specific-key/${of.challenge}`, share: of.share, recipient: of.recipient, edks: [] };
}

/** What the instance's identity key signs (ECDSA with SHA-256): that it asks for these keys with this share. */
export async function presentationInput(of: ChannelOf): Promise<Bytes> {
  return utf8(`coffer-presentation-v1\0${await transcript(of)}`);
}

/** The same of a channel that takes a seed (M9). */
export async function seedPresentationInput(of: ChannelOf): Promise<Bytes> {
  return utf8(`coffer-seed-presentation-v1\0${await transcript(of)}`);
}

/** HKDF's info of the key under which the instance seals a seed; that of the other way is `channelInfo`. */
export function seedChannelInfo(transcript: string): Bytes {
  return utf8(SEED_CHANNEL + transcript);
}

/** HKDF's info. The HSM's share is not in it, since the HSM makes that in the same batch: `channelDigest` has it. */
export async function channelInfo(of: ChannelOf): Promise<Bytes> {
  return channelInfoOf(await transcript(of));
}

export function channelInfoOf(transcript: string): Bytes {
  return utf8(`coffer-channel-v1\0${transcript}`);
}

/** What each load receipt says of the channel: all of it, and the HSM's share (raw, base64url). Base64url SHA-256. */
export async function channelDigest(of: ChannelOf, hsmShare: string): Promise<string> {
  return digest(`coffer-channel-v1\0${await transcript(of)} ${hsmShare}`);
}

/** Base64url SHA-256 of all that a channel is bound to but the HSM's share. */
export async function transcript({ grant, share, recipient, edks }: ChannelOf): Promise<string> {
  const digests = await edksDigest(edks);
  return digest(JSON.stringify([await digest(grant), share, recipient, digests]));
}

/** Of EDKs in their order, each in its form with the lower s. Base64url SHA-256. */
export async function edksDigest(edks: readonly string[]): Promise<string> {
  const digests = await Promise.all(edks.map((edk) => digest(canonicalJws(edk))));
  return digest(JSON.stringify(digests));
}
