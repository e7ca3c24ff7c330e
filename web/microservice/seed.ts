/**
 * Loading by seed (M9): the instance sees to it that the seed is the one that the EDKs name, has the HSM open a channel by the grant, and
 * seals the seed to it: nobody between them has the seed, and nobody but the HSM what comes of it.
 */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import { CofferError } from "#protocol/error.ts";
import {
  type HandedOf,
  type LoadOf,
  seedChannelInfo,
  seedPresentationInput,
  type TrustList,
  transcript,
  verifyChannelReceipt,
  verifyEdk,
} from "#protocol/keys/index.ts";
import { digestOfSeed, seedOf } from "#protocol/seed-digest.ts";
import { channelKey } from "./channel.ts";
import type { Crypto } from "./crypto.ts";
import { type KeyServer, openKeys, presentationOf } from "./presentation.ts";
import type { InstanceRecord } from "./store.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Means = Crypto & { record: InstanceRecord; trust: TrustList; now: number };

/** Errors: those of the KMS, `seed-refused` for another seed than that of the EDKs, `key-refused`. */
export async function keysOfSeed(
  { subtle, random, record, trust, now }: Means,
  { grant, edks, seed: source }: HandedOf<"seed">,
  server: KeyServer,
): Promise<{ loads: LoadOf<"rewrap">[]; channel: string }> {
  const seed = await bytesOf(source);
  try {
    await checkSeed(seed, edks, trust, seconds(now));
    const recipient = await digest(record.wrappingCertificate);
    const who = { subtle, record, recipient };
    const { of, body, privateKey } = await presentationOf(who, { grant, edks }, seedPresentationInput);
    const { receipt } = await server.openSeedChannel(body);
    const { share, channel } = await verifyChannelReceipt(receipt, trust, of, seconds(now)).catch(refused);
    const info = seedChannelInfo(await transcript(of));
    const key = await channelKey(subtle, privateKey, share, info, "encrypt").catch(refused);
    const iv = random(new Uint8Array(12));
    const sealed = new Uint8Array(await subtle.encrypt({ name: "AES-GCM", iv }, key, seed));
    const sent = { nonce: encodeBase64url(iv), sealed: encodeBase64url(sealed) };
    const answer = await server.presentSeed({ edks, channel, ...sent });
    if (answer.share !== share) throw new CofferError("key-refused");
    return await openKeys(subtle, of, privateKey, answer);
  } finally {
    seed.fill(0);
  }
}

function refused(cause: unknown): never {
  throw new CofferError("key-refused", { cause });
}

/** Bytes of its own, which it overwrites afterwards. */
async function bytesOf(source: HandedOf<"seed">["seed"]): Promise<Bytes> {
  if (typeof source === "string") return decodeBase64url(source);
  if (!(source instanceof Blob)) return new Uint8Array(source);
  return seedOf(source).catch((cause: unknown) => {
    throw new CofferError("seed-refused", { cause });
  });
}

/** Before the grant is shown: another seed would give another key, under which nothing opens. */
async function checkSeed(seed: Bytes, edks: string[], trust: TrustList, now: number): Promise<void> {
  const named = await Promise.all(edks.map((edk) => verifyEdk(edk, trust, now))).catch(refused);
  const seeds = new Set(named.map((edk) => edk.wrapping === "seed" && `${edk.seed.salt} ${edk.seed.digest}`));
  const [edk] = named;
  if (edk?.wrapping !== "seed" || seeds.size !== 1) throw new CofferError("key-refused");
  const { salt, digest } = edk.seed;
  if ((await digestOfSeed(seed, decodeBase64url(salt))) !== digest) throw new CofferError("seed-refused");
}
