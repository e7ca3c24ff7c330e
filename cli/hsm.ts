import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ensurePki, issueClient, type LogLine, startHsm } from "#emulator/hsm/index.ts";
import { writeWhole } from "#files/index.ts";
import { CommandError } from "./command-error.ts";
import { documentPath } from "./document-path.ts";
import { logText } from "./hsm-log.ts";
import { POLICIES_FILE, readPolicies } from "./hsm-policies.ts";
import { hsmPrincipal, PRINCIPALS_FILE, readPrincipals } from "./hsm-principal.ts";
import { expectOneInput, INPUT, readInput } from "./input.ts";
import { stopSignal } from "./interrupt.ts";
import { tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { portOption, withHsmPorts } from "./ports.ts";

export const HSM_HELP = `coffer hsm: run the HSM emulator alone, for any KMIP client

Makes a PKI once, starts a KMIP server (1.0 to 2.1) on loopback and prints what a client needs: ports, the paths of
certificates and keys, a configuration for PyKMIP, and an example. Ctrl-C stops it; objects are kept for next time.
Clients are known by their certificate's common name, or by credentials that they send beside it; each sees its own
objects, everybody's certificates and public keys, and what an operation policy shares.

  --client NAME    issue a certificate for this client     (client); may be given more than once
  --issue-only     issue and print, start nothing: a server that runs already takes the new certificate

  --ttlv-port N    port of TTLV over TLS                   (5696, or the next free one)
  --https-port N   port of POST /kmip over HTTPS           (5697, or the next free one)
  --dir PATH       where keys and objects are kept         (.coffer/kmip)
  --lease-time N   seconds for which clients may rely on what they know of an object; 0: without end  (3600)
  --verbose        print a line for each operation
  --json           one JSON object a line: event and what belongs to it; with --issue-only one array of clients

  --principals FILE         clients that may identify themselves by credentials   (principals.json in --dir, if it exists)
  --policies FILE           operation policies, in PyKMIP's form              (policies.json in --dir, if it exists)
  --attestation-root FILE   certificates (PEM) of platforms whose evidence is believed; may be given more than once
  --client-ca FILE          certificates (PEM) of authorities of your own, whose clients are served too: a common
                            name is one client, whichever authority it is from; they can give no name that begins with
                            coffer-; may be given more than once
  --structured-keys NAME    a client, such as PyKMIP, that reads a wrapped key only as a structure, not as the
                            specification's byte string; may be given more than once
  --pykmip NAME             a client that is PyKMIP's: --structured-keys; its objects may share a name, as PyKMIP gives
                            to all of a type; asked for all attributes, it gets those that it can decode; may be given
                            more than once

One FILE of these can be -, standard input.

coffer hsm principal NAME: add somebody to the file of principals

Reads the password from standard input; keeps a salted scrypt hash of it.

  --kind KIND         password, hashed-password, one-time-password, device; or certificate, which has no password:
                      a client with the certificate of that name is in the groups   (password)
  --group NAME        a group, for operation policies; may be given more than once
  --device FIELD=TEXT what is written on the device: deviceSerialNumber, deviceIdentifier, networkIdentifier,
                      machineIdentifier, mediaIdentifier; may be given more than once
  --principals FILE   the file                                                (principals.json in --dir)
  --force             put it in the place of one of that name

Examples: ${COFFER} hsm
          ${COFFER} hsm --client alice --client mongodb
          ${COFFER} hsm principal fred --group operators < password.txt
          ${COFFER} hsm principal alice --kind certificate --group operators
          ${COFFER} hsm --policies ${documentPath("kmip-policies.example.json")} --attestation-root roots.pem
`;

/** `coffer hsm`: runs until a signal asks it to stop. */
export async function hsm(args: string[]): Promise<number> {
  if (args[0] === "principal") return hsmPrincipal(args.slice(1));
  const { values } = parseArgs({
    args,
    options: {
      client: { type: "string", multiple: true, default: ["client"] },
      "issue-only": { type: "boolean", default: false },
      "ttlv-port": { type: "string" },
      "https-port": { type: "string" },
      dir: { type: "string", default: ".coffer/kmip" },
      principals: { type: "string" },
      policies: { type: "string" },
      "attestation-root": { type: "string", multiple: true, default: [] },
      "client-ca": { type: "string", multiple: true, default: [] },
      "structured-keys": { type: "string", multiple: true, default: [] },
      pykmip: { type: "string", multiple: true, default: [] },
      "lease-time": { type: "string" },
      verbose: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const { json } = values;
  const dir = resolve(values.dir);
  const ports = {
    ttlv: portOption(values["ttlv-port"], "--ttlv-port"),
    https: portOption(values["https-port"], "--https-port"),
  };
  expectOneInput(values.principals, values.policies, ...values["attestation-root"], ...values["client-ca"]);
  const leaseTime = leaseOption(values["lease-time"]);
  const principals =
    values.principals === undefined
      ? await readPrincipals(join(dir, PRINCIPALS_FILE), { absent: [] })
      : await readPrincipals(fileOf(values.principals));
  const policies =
    values.policies === undefined
      ? await readPolicies(join(dir, POLICIES_FILE), { absent: {} })
      : await readPolicies(fileOf(values.policies));
  const attestationRoots = (
    await Promise.all(values["attestation-root"].map((file) => readRoots("--attestation-root", file)))
  ).flat();
  const clientAuthorities = (
    await Promise.all(values["client-ca"].map((file) => readRoots("--client-ca", file)))
  ).flat();
  const pki = await ensurePki(join(dir, "pki"));
  for (const name of values.client) await issue(pki.dir, name);
  if (values["issue-only"]) {
    const lines = values.client.map((name) => paths(pki.dir, name)).join("\n");
    const issued = values.client.map((name) => clientOf(pki.dir, name));
    tell(json, lines, issued);
    return 0;
  }
  const stop = stopSignal(json);
  const options = {
    dir: join(dir, "objects"),
    pki,
    principals,
    policies,
    attestationRoots,
    clientAuthorities,
    structuredKeyValues: values["structured-keys"],
    pykmip: values.pykmip,
    ...(leaseTime === undefined ? {} : { leaseTime }),
    ...(values.verbose
      ? { log: (line: LogLine) => tell(json, logText(line, new Date()), { ...line, time: new Date() }) }
      : {}),
  };
  const running = await withHsmPorts(ports, (found) => startHsm({ ...options, ...found }));
  try {
    const { ttlvPort, httpsPort, logPath } = running;
    const { client: clients, dir: kept } = values;
    const shown = {
      principals: principals.filter(({ kind }) => !kind).map(({ name }) => name),
      policies: Object.keys(policies),
      roots: attestationRoots.length,
    };
    const facts = { ttlvPort, httpsPort, logPath, pki: pki.dir, clients, dir: kept, ...shown };
    tell(json, instructions(facts).trimEnd(), {
      ...{ event: "running", ...facts },
      ...{
        authority: join(pki.dir, "server-ca.pem"),
        clients: clients.map((name) => clientOf(pki.dir, name)),
      },
    });
    await stop.stopped;
  } finally {
    await running.close();
  }
  return 0;
}

/** The seconds of `--lease-time`: an Interval of KMIP has 32 bits. */
function leaseOption(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,10}$/.test(text) && Number(text) < 2 ** 32) return Number(text);
  throw new CommandError("--lease-time takes seconds from 0 to 4294967295", 2);
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates of a PEM file: authorities, which have not ended. */
async function readRoots(option: string, file: string): Promise<string[]> {
  const wrong = (what: string) =>
    new CommandError(
      `${option} ${file}: ${what}. It takes ${option === "--client-ca" ? "authorities' certificates" : "root certificates"} in PEM.`,
    );
  const read = file === INPUT ? readInput() : readFile(file, "utf8");
  const text = await read.catch(() => {
    throw wrong("the file cannot be read");
  });
  const roots = text.match(CERTIFICATE) ?? [];
  if (roots.length === 0) throw wrong("there is no certificate in it");
  for (const [index, pem] of roots.entries()) {
    const place = `certificate ${index + 1}`;
    let root: X509Certificate;
    try {
      root = new X509Certificate(pem);
    } catch {
      throw wrong(`${place} is damaged`);
    }
    if (!root.ca) throw wrong(`${place} is not an authority's`);
    if (!(new Date() <= root.validToDate)) throw wrong(`${place} ended on ${root.validTo}`);
  }
  return roots;
}

/** Certificate and key, and both in one file, as MongoDB wants them. */
async function issue(pki: string, name: string): Promise<void> {
  const { cert, key } = await issueClient(pki, name).catch((error) => {
    if (!(error instanceof TypeError)) throw error;
    throw new CommandError("--client takes 1 to 64 letters, digits, '-', '_' or '.'", 2);
  });
  const both = join(pki, `client-${name}.both.pem`);
  await writeWhole(both, cert + key, { replace: true });
}

/** Where what a client needs is written. */
function clientOf(pki: string, name: string) {
  const file = (ending: string) => join(pki, `client-${name}.${ending}`);
  return { name, certificate: file("pem"), key: file("key"), both: file("both.pem") };
}

function paths(pki: string, name: string): string {
  const { certificate, key, both } = clientOf(pki, name);
  return `  client ${name}
    certificate           ${certificate}
    private key           ${key}
    both in one file      ${both}
`;
}

/** As the other ways to the same files have it; `-` stays what it is. */
function fileOf(path: string): string {
  return path === INPUT ? path : resolve(path);
}

interface Running {
  ttlvPort: number;
  httpsPort: number;
  logPath: string;
  pki: string;
  clients: readonly string[];
  dir: string;
  principals: readonly string[];
  policies: readonly string[];
  /** How many roots of attestation there are. */
  roots: number;
}

function instructions(running: Running): string {
  const { ttlvPort, httpsPort, logPath, pki, clients, dir, principals, policies, roots } = running;
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
    principals            ${principals.join(", ") || `none: '${COFFER} hsm principal NAME' makes one`}
    operation policies    ${["default", "public", ...policies].join(", ")}
    roots of attestation  ${roots || "none: --attestation-root FILE"}

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

  MongoDB and others: ${documentPath("kmip-hsm.md")}.  Ctrl-C stops it; everything is kept in ${dir}.
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
