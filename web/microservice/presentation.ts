/**
 * Loading by grant (M7): the instance presents grant and EDKs, with a share of a key pair that it makes for this alone and a proof by
 * its identity key, and opens what comes over the channel: keys that are still wrapped to it.
 */

import { encodeBase64url } from "#protocol/base64url.ts";
import {
  type AnswerOf,
  loadRetainedKeys,
  openSeedChannel,
  presentGrant,
  presentSeed,
} from "#protocol/contract/index.ts";
import { CofferError } from "#protocol/error.ts";
import {
  type ChannelOf,
  channelDigest,
  channelInfo,
  type HandedOf,
  type LoadOf,
  type Presentation,
  presentationInput,
  type RetainedKeys,
  type RetainedRequest,
  type SealedSeed,
} from "#protocol/keys/index.ts";
import { delay as byTheClock, type Delay } from "#protocol/patience.ts";
import { makeShare, openChannel } from "./channel.ts";
import type { Subtle } from "./crypto.ts";
import { signWith } from "./keys.ts";
import { restOf } from "./rest.ts";
import type { InstanceRecord } from "./store.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Answer = AnswerOf<typeof presentGrant>;
/** The KMS, to which a grant is presented. */
export type KeyServer = {
  present(presentation: Presentation): Promise<Answer>;
  /** The same for keys of a seed (M9): the channel's receipt, and what comes of the seed. */
  openSeedChannel(presentation: Presentation): Promise<{ receipt: string }>;
  presentSeed(seed: SealedSeed): Promise<Answer>;
  /** One page of the keys that it retains. */
  retained(request: RetainedRequest): Promise<RetainedKeys>;
};

/** Bytes of an answer with 100 keys. */
const MAX_ANSWER = 1 << 20;

/** REST over `fetch`, on the vault's own origin. Errors: the problem's code, `offline`, `answer-invalid`. */
export function restKeyServer(
  fetch: typeof globalThis.fetch,
  origin: string,
  delay: Delay = byTheClock,
): KeyServer {
  const ask = restOf(fetch, origin, delay);
  // The grant is used up once the KMS has seen it.
  return {
    present: (body) => ask(presentGrant, { body, repeatable: false, limit: MAX_ANSWER }),
    openSeedChannel: (body) => ask(openSeedChannel, { body, repeatable: false }),
    presentSeed: (body) => ask(presentSeed, { body, repeatable: false, limit: MAX_ANSWER }),
    // A request is good once.
    retained: (body) => ask(loadRetainedKeys, { body, repeatable: false, limit: MAX_ANSWER }),
  };
}

/**
 * What the grant brings, and what the receipts have to say of the channel. Errors: those of the KMS, `key-refused` for an
 * answer that does not open.
 */
export async function present(
  { subtle, record, recipient }: { subtle: Subtle; record: InstanceRecord; recipient: string },
  { grant, edks }: HandedOf<"grant">,
  server: KeyServer,
): Promise<{ loads: LoadOf<"rewrap">[]; channel: string }> {
  const { of, body, privateKey } = await presentationOf(
    { subtle, record, recipient },
    { grant, edks },
    presentationInput,
  );
  const answer = await server.present(body);
  return openKeys(subtle, of, privateKey, answer);
}

/** What the instance presents, with a share of a key pair made for it alone, and a proof over what `input` makes of all of it. */
export async function presentationOf(
  { subtle, record, recipient }: { subtle: Subtle; record: InstanceRecord; recipient: string },
  { grant, edks }: Pick<ChannelOf, "grant"> & { edks: string[] },
  input: (of: ChannelOf) => Promise<Bytes>,
): Promise<{ of: ChannelOf; body: Presentation; privateKey: CryptoKey }> {
  const { share, privateKey } = await makeShare(subtle);
  const of: ChannelOf = { grant, share, recipient, edks };
  const proof = encodeBase64url(await signWith(subtle, record.identityKey, await input(of)));
  const identityCertificate = encodeBase64url(record.identityCertificate);
  const body = { grant, edks, share, identityCertificate, proof };
  return { of, body, privateKey };
}

/** The wrapped keys that came over the channel, and what their receipts have to say of it. Throws `key-refused`. */
export async function openKeys(
  subtle: Subtle,
  of: ChannelOf,
  privateKey: CryptoKey,
  answer: Answer,
): Promise<{ loads: LoadOf<"rewrap">[]; channel: string }> {
  const { edks } = of;
  try {
    const { receipts } = answer;
    const plain = await openChannel(subtle, privateKey, await channelInfo(of), answer);
    const length = plain.length / edks.length;
    if (receipts.length !== edks.length || !Number.isInteger(length))
      throw new TypeError("not a key for each");
    const loads = edks.map((edk, n) => {
      const wrappedKey = encodeBase64url(plain.subarray(n * length, (n + 1) * length));
      return { way: "rewrap" as const, edk, wrappedKey, receipt: receipts[n] ?? "" };
    });
    return { loads, channel: await channelDigest(of, answer.share) };
  } catch (cause) {
    throw new CofferError("key-refused", { cause });
  }
}
