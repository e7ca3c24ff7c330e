/** Encryption in one piece: a message of the document format, so that whoever opens documents opens it too. */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { join } from "#protocol/bytes.ts";
import { CofferError } from "#protocol/error.ts";
import { type CryptoOperations, MAX_DATA } from "#protocol/operations/index.ts";
import type { Means } from "./means.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export function encryption({ seal, open }: Means): Pick<CryptoOperations, "encrypt" | "decrypt"> {
  const { signal } = new AbortController();
  return {
    async encrypt({ key: edk, context, data }) {
      const sealed = await seal({ edk, context }, streamOf(decodeBase64url(data)), signal);
      return { message: encodeBase64url(await collect(sealed)) };
    },
    async decrypt({ context, message, key }) {
      const brought = key === undefined ? {} : { key };
      const opened = await open({ context, ...brought }, streamOf(decodeBase64url(message)), signal);
      const data = await collect(opened);
      // A message that says no length ahead may hold more than an answer may.
      if (data.length > MAX_DATA) throw new CofferError("too-large");
      return { data: encodeBase64url(data) };
    },
  };
}

export function streamOf(bytes: Bytes): ReadableStream<Bytes> {
  return new ReadableStream({
    start(controller) {
      if (bytes.length > 0) controller.enqueue(bytes);
      controller.close();
    },
  });
}

/** Nothing of it is given out before its end has verified. */
export async function collect(stream: ReadableStream<Bytes>): Promise<Bytes> {
  const chunks: Bytes[] = [];
  const reader = stream.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) chunks.push(read.value);
  return join(chunks);
}
