/** A custodian in this process, with the ciphertext that it sends. */

import { type Client, type ClientOptions, connect } from "#cli/client.ts";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import type { System } from "../support/start.ts";

export type Recorded = { method: string; path: string; body: Uint8Array };

/** Signs in; `sent` grows by every part and every sealed metadata on its way to the datastore. */
export async function connectNode(
  system: Pick<System, "appOrigin" | "vaultOrigin" | "running">,
  user: string,
  fetch: typeof globalThis.fetch = loopbackFetch,
  more: Pick<ClientOptions, "lists" | "now"> = {},
): Promise<Client & { sent: Recorded[] }> {
  const sent: Recorded[] = [];
  const recording: typeof fetch = async (input, init) => {
    if (init?.method === "PUT") {
      const body = new Uint8Array(await new Response(init.body as BodyInit).arrayBuffer());
      sent.push({ method: init.method, path: new URL(String(input)).pathname, body });
    }
    return fetch(input, init);
  };
  const client = await connect({
    app: system.appOrigin,
    vault: system.vaultOrigin,
    rootKey: system.running.rootKey,
    user,
    fetch: recording,
    ...more,
  });
  return { ...client, sent };
}

/** All bytes of a stream. */
export async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer());
}
