/** Short messages, many in one call: the copies of names that a list is drawn from. */

import { codeOf, type ErrorCode } from "#protocol/error.ts";
import { GarbageNudge, type PortHandler } from "#protocol/port/index.ts";
import { collect, streamOf } from "./operations/encryption.ts";

/** What is wrong with one message, or the key that it names. */
const CLOSED = new Set<ErrorCode>([
  "decrypt-failed",
  "context-mismatch",
  "forbidden",
  "key-unusable",
  "key-missing",
]);

/** Bytes that come and go for each byte of a message: keys, streams and what they hold. */
const PASSING = 8;
const garbage = new GarbageNudge();

/** Plaintexts in the order of the messages; null for one that does not open. */
export async function openAll(
  { open }: Pick<PortHandler, "open">,
  messages: Parameters<PortHandler["openAll"]>[0]["messages"],
): ReturnType<PortHandler["openAll"]> {
  const { signal } = new AbortController();
  const plain = messages.map(async ({ context, message }) => {
    garbage.count(PASSING * message.byteLength);
    try {
      const opened = await collect(await open({ context }, streamOf(new Uint8Array(message)), signal));
      return opened.length > 0 ? opened.buffer : null;
    } catch (error) {
      if (!CLOSED.has(codeOf(error))) throw error;
      return null;
    }
  });
  return { plain: await Promise.all(plain) };
}
