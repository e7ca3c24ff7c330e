import { chmod, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ensurePki, issueClient, type LogLine, startHsm } from "#emulator/hsm/index.ts";
import { CommandError } from "./command-error.ts";
import { stopSignal } from "./interrupt.ts";
import { freePort, portOption } from "./ports.ts";

export const HSM_HELP = `coffer hsm: run the HSM emulator alone, for any KMIP client

Makes a PKI once, starts a KMIP server (1.0 to 2.1) on loopback and prints what a client needs: ports, the paths of
certificates and keys, a configuration for PyKMIP, and an example. Ctrl-C stops it; objects are there next time.
Clients are known by their certificate's common name; each sees its own objects only.

  --client NAME    issue a certificate for this client     (client); may be given more than once
  --issue-only     issue and print, start nothing: a server that runs already takes the new certificate

  --ttlv-port N    port of TTLV over TLS                   (5696, or the next free one)
  --https-port N   port of POST /kmip over HTTPS           (5697, or the next free one)
  --dir PATH       where keys and objects are kept         (.coffer/kmip)
  --verbose        print a line for each operation

Examples: node cli/coffer.js hsm
          node cli/coffer.js hsm --client alice --client mongodb
`;

/** `coffer hsm`: runs until a signal asks it to stop. */
export async function hsm(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      client: { type: "string", multiple: true, default: ["client"] },
      "issue-only": { type: "boolean", default: false },
      "ttlv-port": { type: "string" },
      "https-port": { type: "string" },
      dir: { type: "string", default: ".coffer/kmip" },
      verbose: { type: "boolean", default: false },
    },
  });
  const dir = resolve(values.dir);
  const ports = {
    ttlv: portOption(values["ttlv-port"], "--ttlv-port"),
    https: portOption(values["https-port"], "--https-port"),
  };
  const pki = await ensurePki(join(dir, "pki"));
  for (const name of values.client) await issue(pki.dir, name);
  if (values["issue-only"]) {
    process.stdout.write(`${values.client.map((name) => paths(pki.dir, name)).join("\n")}\n`);
    return 0;
  }
  const stop = stopSignal();
  const running = await startHsm({
    dir: join(dir, "objects"),
    pki,
    ttlvPort: ports.ttlv ?? (await freePort(5696)),
    httpsPort: ports.https ?? (await freePort(5697)),
    ...(values.verbose ? { log: print } : {}),
  });
  try {
    process.stdout.write(instructions({ ...running, pki: pki.dir, clients: values.client, dir: values.dir }));
    await stop.stopped;
  } finally {
    await running.close();
  }
  return 0;
}

/** Certificate and key, and both in one file, as MongoDB wants them. */
async function issue(pki: string, name: string): Promise<void> {
  const { cert, key } = await issueClient(pki, name).catch((error) => {
    if (!(error instanceof TypeError)) throw error;
    throw new CommandError("--client takes 1 to 64 letters, digits, '-', '_' or '.'", 2);
  });
  const both = join(pki, `client-${name}.both.pem`);
  await writeFile(both, cert + key, { mode: 0o600 });
  await chmod(both, 0o600);
}

function paths(pki: string, name: string): string {
  return `  client ${name}
    certificate           ${join(pki, `client-${name}.pem`)}
    private key           ${join(pki, `client-${name}.key`)}
    both in one file      ${join(pki, `client-${name}.both.pem`)}
`;
}

interface Running {
  ttlvPort: number;
  httpsPort: number;
  logPath: string;
  pki: string;
  clients: readonly string[];
  dir: string;
}

function instructions({ ttlvPort, httpsPort, logPath, pki, clients, dir }: Running): string {
  const [name = "client"] = clients;
  const ca = join(pki, "server-ca.pem");
  const cert = join(pki, `client-${name}.pem`);
  const key = join(pki, `client-${name}.key`);
  return `
  The HSM emulator is running: KMIP 1.0 to 2.1, mutual TLS 1.2 and 1.3.

    TTLV over TLS         127.0.0.1:${ttlvPort}
    HTTPS                 https://127.0.0.1:${httpsPort}/kmip   (TTLV, JSON, XML)
    server's authority    ${ca}
    log                   ${logPath}

${clients.map((one) => paths(pki, one)).join("\n")}
  PyKMIP, in a file pykmip.conf:

    [client]
    host=127.0.0.1
    port=${ttlvPort}
    ca_certs=${ca}
    certfile=${cert}
    keyfile=${key}
    cert_reqs=CERT_REQUIRED
    ssl_version=PROTOCOL_SSLv23
    do_handshake_on_connect=True
    suppress_ragged_eofs=True

  and then:

    from kmip.core import enums
    from kmip.pie.client import ProxyKmipClient
    with ProxyKmipClient(config_file="pykmip.conf", kmip_version=enums.KMIPVersion.KMIP_1_4) as client:
        print(client.create(enums.CryptographicAlgorithm.AES, 256))

  Or with nothing but curl:

    curl --cacert ${ca} --cert ${cert} --key ${key} \\
      -H 'Content-Type: application/json' https://127.0.0.1:${httpsPort}/kmip -d '${QUERY}'

  MongoDB and others: docs/kmip-hsm.md.  Ctrl-C stops it; everything is kept in ${dir}.
`;
}

/** Discover Versions, in the JSON encoding. */
const QUERY = JSON.stringify({
  tag: "RequestMessage",
  value: [
    {
      tag: "RequestHeader",
      value: [
        {
          tag: "ProtocolVersion",
          value: [
            { tag: "ProtocolVersionMajor", type: "Integer", value: 2 },
            { tag: "ProtocolVersionMinor", type: "Integer", value: 1 },
          ],
        },
        { tag: "BatchCount", type: "Integer", value: 1 },
      ],
    },
    {
      tag: "BatchItem",
      value: [
        { tag: "Operation", type: "Enumeration", value: "DiscoverVersions" },
        { tag: "RequestPayload", value: [] },
      ],
    },
  ],
});

function print({ event, ...line }: LogLine): void {
  const words = Object.entries(line).map(([name, value]) => `${name}=${value}`);
  process.stdout.write(`${new Date().toISOString()} ${event} ${words.join(" ")}\n`);
}
