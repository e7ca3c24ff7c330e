/** A seed as an instance has it derived (M9), open to tampering. */

import { expect } from "vitest";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import { jwsParts } from "#protocol/jws.ts";
import {
  type ChannelReceipt,
  channelInfoOf,
  type Presentation,
  type Presented,
  type SealedSeed,
  seedChannelInfo,
  seedPresentationInput,
  type TrustList,
  transcript,
  verifyChannelReceipt,
  verifyReceipt,
} from "#protocol/keys/index.ts";
import { digestOfSeed } from "#protocol/seed-digest.ts";
import { type Answer, json } from "./http.ts";
import type { Instance } from "./instance.ts";
import { presentation } from "./presentation.ts";

const { subtle } = globalThis.crypto;
type Bytes = Uint8Array<ArrayBuffer>;

/** What an order says of a seed. */
export async function seedOrder(seed: Bytes, labels: string[] = [""]) {
  const salt = globalThis.crypto.getRandomValues(new Uint8Array(16));
  return { salt: encodeBase64url(salt), digest: await digestOfSeed(seed, salt), labels };
}

/** EDKs of an order for keys of a seed, of the client's account or of the tenant itself. */
export async function orderKeys(
  { client }: Pick<Instance, "client">,
  seed: Bytes,
  { labels = [""], own = false }: { labels?: string[]; own?: boolean } = {},
): Promise<string[]> {
  const order = { count: labels.length, purpose: "document", seed: await seedOrder(seed, labels) };
  const whose = own ? {} : { account: client.account };
  return json<{ edks: string[] }>(await client.rest("POST", "/kms/data-keys", { ...order, ...whose })).edks;
}

export const askGrant = ({ client, enrolled }: Instance, edks: string[], more: object = {}) =>
  client.rest("POST", "/kms/grants", { edks, certificate: enrolled.wrappingCertificate, ...more });

export const granted = async (of: Instance, edks: string[], more: object = {}) =>
  json<{ grant: string }>(await askGrant(of, edks, more)).grant;

/** A channel that the HSM has opened for the instance; `answer` is a problem where it has not. */
export async function openChannel(
  of: Instance,
  edks: string[],
  { grant, change = {} }: { grant?: string; change?: Partial<Presentation> } = {},
) {
  const used = grant ?? (await granted(of, edks));
  const made = await presentation(of, used, edks, change, seedPresentationInput);
  const answer = await of.client.vaultPost("/seed-channels", made.body);
  return { edks, made, answer };
}

type Opened = Awaited<ReturnType<typeof openChannel>>;

async function keyOf({ made }: Opened, share: string, info: Bytes, use: "encrypt" | "decrypt") {
  const other = await subtle.importKey("raw", decodeBase64url(share), "X25519", true, []);
  const agreement = { name: "X25519", public: other };
  const agreed = await subtle.deriveKey(agreement, made.privateKey, "HKDF", false, ["deriveKey"]);
  const hkdf = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info };
  return subtle.deriveKey(hkdf, agreed, { name: "AES-GCM", length: 256 }, false, [use]);
}

export function receiptOf({ answer }: Opened): ChannelReceipt {
  return JSON.parse(new TextDecoder().decode(jwsParts(json<{ receipt: string }>(answer).receipt).payload));
}

/** The seed, sealed to the HSM over the channel. */
export async function sealSeed({ enrolled }: Instance, opened: Opened, seed: Bytes): Promise<SealedSeed> {
  const { edks, made } = opened;
  const recipient = await digest(decodeBase64url(enrolled.wrappingCertificate));
  const { share, channel } = receiptOf(opened);
  const info = seedChannelInfo(await transcript({ ...made.body, recipient }));
  const iv = globalThis.crypto.getRandomValues(new Uint8Array(12));
  const key = await keyOf(opened, share, info, "encrypt");
  const sealed = new Uint8Array(await subtle.encrypt({ name: "AES-GCM", iv }, key, seed));
  return { edks, channel, nonce: encodeBase64url(iv), sealed: encodeBase64url(sealed) };
}

export const present = ({ client }: Pick<Instance, "client">, body: object) =>
  client.vaultPost("/seed-presentations", body);

/** Data keys of that answer in hexadecimal, with everything verified that an instance verifies. */
export async function openKeys(
  { keys, enrolled }: Instance,
  opened: Opened,
  answer: Answer,
  trust: TrustList,
): Promise<string[]> {
  const { edks, made } = opened;
  const recipient = await digest(decodeBase64url(enrolled.wrappingCertificate));
  const of = { ...made.body, recipient };
  const now = seconds(Date.now());
  const { receipt } = json<{ receipt: string }>(opened.answer);
  const { share, channel } = await verifyChannelReceipt(receipt, trust, of, now);
  const { nonce, sealed, receipts } = json<Presented>(answer);
  const key = await keyOf(opened, share, channelInfoOf(await transcript(of)), "decrypt");
  const gcm = { name: "AES-GCM", iv: decodeBase64url(nonce) };
  const plain = new Uint8Array(await subtle.decrypt(gcm, key, decodeBase64url(sealed)));
  const length = plain.length / edks.length;
  return Promise.all(
    edks.map(async (edk, n) => {
      const wrappedKey = plain.slice(n * length, (n + 1) * length);
      const said = await verifyReceipt(receipts[n] ?? "", trust, { wrappedKey, edk, recipient, now });
      expect(said).toMatchObject({ channel, way: "seed" });
      const bytes = await subtle.decrypt("RSA-OAEP", keys.wrapping.privateKey, wrappedKey);
      return Buffer.from(bytes).toString("hex");
    }),
  );
}

/** All of it: order, grant, channel, seed, keys. */
export async function load(
  of: Instance,
  seed: Bytes,
  trust: TrustList,
  asked: { labels?: string[]; own?: boolean; edks?: string[] } = {},
): Promise<string[]> {
  const edks = asked.edks ?? (await orderKeys(of, seed, asked));
  const opened = await openChannel(of, edks);
  return openKeys(of, opened, await present(of, await sealSeed(of, opened, seed)), trust);
}
