import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ensurePki, issueClient, type TlsTransportOptions, tlsTransport } from "#emulator/hsm/index.ts";
import {
  type Attributes,
  createKmipClient,
  decodeRequest,
  decodeResponse,
  type Encoding,
  encodeRequest,
  encodeResponse,
  type KmipClient,
  type RequestMessage,
  type ResponseMessage,
} from "#protocol/kmip/index.ts";
import { PYTHON, pythonCan, startPyKmipServer } from "#test/interop/index.ts";
import { startHsmProcess } from "#test/kmip/hsm-process.ts";
import { median, progress, type Report } from "./row.ts";

/** Both servers speak it. */
const VERSION = { major: 1, minor: 4 };
/** Each measurement, and how many of them are taken in turns; the median counts. */
const SECONDS = 2;
const TURNS = 3;
/** How the work comes: on so many connections, with so many pieces of it under way on each. */
const LOADS = [
  { name: "1 connection", id: "1-connection", connections: 1, lanes: 1 },
  { name: "8 connections", id: "8-connections", connections: 8, lanes: 1 },
  { name: "1 connection, 16 pipelined", id: "1-connection-pipelined", connections: 1, lanes: 16 },
] as const;
const CODEC = fileURLToPath(new URL("./pykmip-codec.py", import.meta.url));

/** KMIP codec and server, beside PyKMIP's, with our client for both. Writes are durable in both servers. */
export async function run(report: Report): Promise<void> {
  const compared = pythonCan("import kmip");
  if (!compared) progress("PyKMIP is not installed (Debian: python3-pykmip): nothing to compare with");
  await codec(report, compared);
  await servers(report, compared);
}

const AES: Attributes = {
  cryptographicAlgorithm: "AES",
  cryptographicLength: 256,
  cryptographicUsageMask: ["Encrypt", "Decrypt"],
};
const uniqueIdentifier = "1f6d3c5e-8c1f-4c3f-9f6a-0d6f4b7e2a11";
const request: RequestMessage = {
  header: { protocolVersion: VERSION },
  items: [{ operation: "Create", payload: { objectType: "SymmetricKey", attributes: AES } }],
};
const response: ResponseMessage = {
  header: { protocolVersion: VERSION, timeStamp: new Date(1_795_000_000_000) },
  items: [
    {
      operation: "Get",
      resultStatus: "Success",
      payload: {
        objectType: "SymmetricKey",
        uniqueIdentifier,
        object: {
          symmetricKey: {
            keyBlock: {
              keyFormatType: "Raw",
              keyValue: { keyMaterial: new Uint8Array(32).fill(7) },
              cryptographicAlgorithm: "AES",
              cryptographicLength: 256,
            },
          },
        },
      },
    },
  ],
};

/** A typed Create request, and a typed Get response, from and to bytes. */
async function codec(report: Report, compared: boolean): Promise<void> {
  const theirs: Record<string, number> = {};
  if (compared) {
    progress("codec: PyKMIP");
    const hex = [encodeRequest(request), encodeResponse(response)].map((m) => Buffer.from(m).toString("hex"));
    const { stdout } = await promisify(execFile)(PYTHON, [CODEC, String(SECONDS), ...hex]);
    Object.assign(theirs, JSON.parse(stdout));
  }
  progress("codec");
  for (const encoding of ["ttlv", "json", "xml"] satisfies Encoding[]) {
    const requestBytes = encodeRequest(request, encoding);
    const responseBytes = encodeResponse(response, encoding);
    const works: Record<string, () => unknown> = {
      "decode-request": () => decodeRequest(requestBytes, { encoding }),
      "encode-request": () => encodeRequest(request, encoding),
      "decode-response": () => decodeResponse(responseBytes, { encoding }),
      "encode-response": () => encodeResponse(response, encoding),
    };
    for (const [name, work] of Object.entries(works)) {
      const value = rate(work);
      const other = encoding === "ttlv" ? theirs[name] : undefined;
      report({
        id: `kmip/codec/${name}/${encoding}`,
        value,
        unit: "messages/s",
        versus: other === undefined ? null : "pykmip",
        ratio: other === undefined ? null : value / other,
      });
    }
  }
}

function rate(work: () => unknown): number {
  const during = (milliseconds: number) => {
    const began = performance.now();
    let done = 0;
    for (; performance.now() - began < milliseconds; done += 64) for (let i = 0; i < 64; i++) work();
    return (done * 1000) / (performance.now() - began);
  };
  during(200);
  return median([during(300), during(300), during(300)]);
}

/** One unit of work on one connection. */
type Work = (client: KmipClient) => Promise<unknown>;

interface Server {
  connection: TlsTransportOptions;
  works: Record<string, Work>;
}

async function servers(report: Report, compared: boolean): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "coffer-bench-"));
  const closing: (() => unknown)[] = [() => rmSync(dir, { recursive: true, force: true })];
  try {
    const pki = await ensurePki(join(dir, "pki"));
    const hsm = await startHsmProcess(join(dir, "hsm"), pki.dir);
    closing.unshift(() => hsm.stop());
    const pair = await issueClient(pki.dir, "bench");
    const ours = await prepared({ host: "127.0.0.1", port: hsm.port, ca: pki.serverCa, ...pair });
    let theirs: Server | undefined;
    if (compared) {
      const pykmip = await startPyKmipServer(join(dir, "pykmip"));
      closing.unshift(() => pykmip.close());
      theirs = await prepared(pykmip.connection);
    }
    for (const [name, unit] of [
      ["create-get", "pairs/s"],
      ["get", "operations/s"],
      ["encrypt-1KiB", "operations/s"],
      ["discover-versions", "operations/s"],
    ] as const) {
      for (const load of LOADS) {
        progress(`${name}, ${load.name}`);
        const [mine, other]: number[][] = [[], []];
        for (let turn = 0; turn < TURNS; turn++) {
          mine!.push(await throughput(ours, name, load));
          if (theirs) other!.push(await throughput(theirs, name, load));
        }
        const value = median(mine!);
        report({
          id: `kmip/${name}/${load.id}`,
          value,
          unit,
          versus: theirs ? "pykmip" : null,
          ratio: theirs ? value / median(other!) : null,
        });
      }
    }
  } finally {
    for (const close of closing) await close();
  }
}

/** A server with a key to work with. */
async function prepared(connection: TlsTransportOptions): Promise<Server> {
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

/** Units of work a second, each lane doing one after the other. */
async function throughput(
  { connection, works }: Server,
  name: string,
  { connections, lanes }: { connections: number; lanes: number },
): Promise<number> {
  const work = works[name]!;
  const transports = Array.from({ length: connections }, () => tlsTransport(connection));
  const clients = transports.flatMap(({ exchange }) => {
    const client = createKmipClient({ exchange, version: VERSION });
    return Array.from({ length: lanes }, () => client);
  });
  // Connections are opened and code is warm before time is taken.
  await Promise.all(clients.map(work));
  await Promise.all(clients.map(work));
  const began = performance.now();
  const until = began + SECONDS * 1000;
  let done = 0;
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() < until) {
        await work(client);
        done++;
      }
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  for (const transport of transports) transport.close();
  return done / seconds;
}
