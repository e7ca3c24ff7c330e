/** The HSM as someone with one of its client certificates meets it: KMIP over mutual TLS, with all answers kept. */

import { issueClient } from "#emulator/hsm/index.ts";
import { tlsTransport } from "#kmip-node/index.ts";
import { createKmipClient, type KmipClient, KmipError } from "#protocol/kmip/index.ts";
import type { System } from "../support/start.ts";

export type HsmClient = KmipClient & {
  /** Sends one encoded message, and gives the answer. */
  exchange(request: Uint8Array): Promise<Uint8Array>;
  /** Every byte that the HSM answered. */
  received: Buffer[];
  close(): void;
};

/** A client with the live certificate of an identity; any other name gets a certificate of an ordinary KMIP user. */
export async function hsmClient(system: System, identity: string): Promise<HsmClient> {
  const { pki, hsm } = system.running;
  const certificate = await issueClient(pki.dir, identity);
  const transport = tlsTransport({ host: "127.0.0.1", port: hsm.ttlvPort, ca: pki.serverCa, ...certificate });
  const received: Buffer[] = [];
  const exchange = async (request: Uint8Array) => {
    const response = await transport.exchange(request);
    received.push(Buffer.from(response));
    return response;
  };
  return { ...createKmipClient({ exchange }), exchange, received, close: () => transport.close() };
}

/** The result reason of a refused request, or "Success". Anything that is no answer of the HSM is thrown. */
export async function outcome(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return "Success";
  } catch (error) {
    if (error instanceof KmipError) return String(error.code);
    throw error;
  }
}
