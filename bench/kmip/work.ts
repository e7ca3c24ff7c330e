import { type TlsTransportOptions, tlsTransport } from "#kmip-node/index.ts";
import { type Attributes, createKmipClient, type Exchange, type KmipClient } from "#protocol/kmip/index.ts";

/** Both servers speak it. */
export const VERSION = { major: 1, minor: 4 };
export const AES: Attributes = {
  cryptographicAlgorithm: "AES",
  cryptographicLength: 256,
  cryptographicUsageMask: ["Encrypt", "Decrypt"],
};

/** One unit of work, on a connection that others may use at the same time. */
export type Work = (client: KmipClient, exchange: Exchange) => Promise<unknown>;

export interface Server {
  connection: TlsTransportOptions;
  works: Record<string, Work>;
}

/** How the work comes: on so many connections, with so many pieces of it under way on each. */
export interface Load {
  id: string;
  connections: number;
  lanes: number;
}

export const LOADS: readonly Load[] = [
  { id: "1-connection", connections: 1, lanes: 1 },
  { id: "8-connections", connections: 8, lanes: 1 },
  { id: "1-connection-pipelined", connections: 1, lanes: 32 },
];

/** Each measurement. */
const SECONDS = 2;

/** A KMIP server, with a key to work with. */
export async function kmipServer(connection: TlsTransportOptions): Promise<Server> {
  const transport = tlsTransport(connection);
  const client = createKmipClient({ exchange: transport.exchange, version: VERSION });
  const { uniqueIdentifier } = await client.request("Create", {
    objectType: "SymmetricKey",
    attributes: AES,
  });
  await client.request("Activate", { uniqueIdentifier });
  transport.close();
  const data = new Uint8Array(1024).fill(1);
  const ivCounterNonce = new Uint8Array(16).fill(2);
  const works: Record<string, Work> = {
    "create-get": async (client) => {
      const made = await client.request("Create", { objectType: "SymmetricKey", attributes: AES });
      await client.request("Get", { uniqueIdentifier: made.uniqueIdentifier });
    },
    get: (client) => client.request("Get", { uniqueIdentifier }),
    "encrypt-1KiB": (client) =>
      client.request("Encrypt", {
        uniqueIdentifier,
        cryptographicParameters: {
          blockCipherMode: "CBC",
          paddingMethod: "PKCS5",
          cryptographicAlgorithm: "AES",
        },
        data,
        ivCounterNonce,
      }),
    "discover-versions": (client) => client.request("DiscoverVersions", { protocolVersion: [] }),
  };
  return { connection, works };
}

/** What answers without looking and keeps a page of each request: no server that keeps what it is told is faster. */
export function echoServer(connection: TlsTransportOptions): Server {
  const request = new Uint8Array(256);
  request.set([0x42, 0x00, 0x78, 0x01, 0, 0, 0, request.length - 8]);
  const work: Work = async (_client, exchange) => {
    await exchange(request);
    await exchange(request);
  };
  return { connection, works: { "create-get": work } };
}

/** Units of work a second, each lane doing one after the other. */
export async function throughput(
  { connection, works }: Server,
  name: string,
  { connections, lanes }: Load,
): Promise<number> {
  const work = works[name]!;
  const transports = Array.from({ length: connections }, () => tlsTransport(connection));
  const one = transports.flatMap(({ exchange }) => {
    const client = createKmipClient({ exchange, version: VERSION });
    return Array.from({ length: lanes }, () => () => work(client, exchange));
  });
  // Connections are opened and code is warm before time is taken.
  await Promise.all(one.map((run) => run()));
  await Promise.all(one.map((run) => run()));
  const began = performance.now();
  const until = began + SECONDS * 1000;
  let done = 0;
  await Promise.all(
    one.map(async (run) => {
      while (performance.now() < until) {
        await run();
        done++;
      }
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  for (const transport of transports) transport.close();
  return done / seconds;
}
