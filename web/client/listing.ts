/**
 * Copies of metadata that the list is drawn from: each is sealed under the account's metadata key, whose EDK stands once beside many. A
 * document is opened by its own metadata, not by these.
 */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { readAll } from "#protocol/chunks.ts";
import type { Listed } from "#protocol/contract/index.ts";
import { EDK_PROVIDER } from "#protocol/edk-provider.ts";
import { attachKey, detachKey } from "#protocol/envelope/index.ts";
import {
  type EncryptionContext,
  GarbageNudge,
  MAX_SHORT_LENGTH,
  MAX_SHORT_MESSAGES,
  type PortClient,
} from "#protocol/port/index.ts";
import { decodeMetadata, encodeMetadata, type SealedMetadata } from "./metadata.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes of a copy at most; a longer name has none, and is read from its metadata. */
const LIMIT = 2048;

/** A copy, under this key. Undefined for what is too long for one. */
export async function sealListed(
  port: PortClient,
  sealing: { edk: string | undefined; context: EncryptionContext },
  metadata: SealedMetadata,
): Promise<Listed | undefined> {
  const message = await readAll(port.seal(sealing, encodeMetadata(metadata)), MAX_SHORT_LENGTH);
  const { key, rest } = detachKey(message, EDK_PROVIDER);
  if (rest.length > LIMIT) return undefined;
  return { edk: new TextDecoder().decode(key), sealed: encodeBase64url(rest) };
}

/** What a page of the list has of a document. */
export type Copy = { context: EncryptionContext; edk: string; sealed: string };

/** Bytes that come and go for each byte of a message: as it came, decoded, with its key, given to the port, and what was in it. */
const PASSING = 8;

/** Copies in their order, some at a time, undefined for what does not open. Their keys must be loaded. */
export async function* openListed(
  port: PortClient,
  copies: readonly Copy[],
): AsyncGenerator<(SealedMetadata | undefined)[]> {
  const keys = new Map(copies.map(({ edk }) => [edk, utf8(edk)]));
  const garbage = new GarbageNudge();
  for (let from = 0; from < copies.length; from += MAX_SHORT_MESSAGES) {
    // Several pages of a list go on when the same key has come: not all of them in one task.
    await new Promise((resolve) => setTimeout(resolve));
    const some = copies.slice(from, from + MAX_SHORT_MESSAGES);
    const whole = some.map(({ context, edk, sealed }) => {
      const message = messageOf(sealed, keys.get(edk) ?? new Uint8Array());
      return message && { context, message };
    });
    const fit = whole.filter((each) => each !== undefined);
    for (const { message } of fit) garbage.count(PASSING * message.length);
    const opened = fit.length > 0 ? await port.openAll(fit) : [];
    yield whole.map((each) => (each && read(opened.shift() ?? null)) || undefined);
  }
}

/** Made by whoever keeps it, so it may be anything. */
function messageOf(sealed: string, key: Bytes): Bytes | undefined {
  try {
    return attachKey(decodeBase64url(sealed), key, EDK_PROVIDER);
  } catch {
    return undefined;
  }
}

function read(plain: Uint8Array | null): SealedMetadata | undefined {
  try {
    return plain ? decodeMetadata(new Uint8Array(plain)) : undefined;
  } catch {
    return undefined;
  }
}
