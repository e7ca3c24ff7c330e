import { mkdtempSync, rmSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tlsTransport } from "#kmip-node/index.ts";
import {
  createKmipClient,
  type Encoding,
  type Exchange,
  type KmipClient,
  MEDIA_TYPES,
} from "#protocol/kmip/index.ts";
import { ensurePki, type KeyAndCertificate, type Pki } from "../identity/pki.ts";
import { type Hsm, type HsmOptions, startHsm } from "../server/server.ts";

/** How a message comes to the HSM. */
export interface Way {
  transport: "tls" | "https";
  encoding: Encoding;
}

/** The ways of the profiles (KMIP Profiles 2.1 §3.1 Basic Authentication Suite, §3.2 HTTPS Authentication Suite). */
export const WAYS = [
  { transport: "tls", encoding: "ttlv" },
  { transport: "https", encoding: "ttlv" },
  { transport: "https", encoding: "json" },
  { transport: "https", encoding: "xml" },
] as const satisfies readonly [Way, ...Way[]];

/** For tests: an HSM on free ports with a PKI of its own in a folder of its own. */
export interface TestHsm {
  hsm: Hsm;
  pki: Pki;
  dir: string;
  /** A KMIP client over TLS with the identity of that certificate. */
  as(
    identity: keyof Pki["clients"] | KeyAndCertificate,
    version?: { major: number; minor: number },
  ): KmipClient;
  /** Carries encoded requests with that certificate. TLS connections end with the test. */
  exchange(pair: KeyAndCertificate, way: Way): Exchange;
  /** Stops the HSM and starts it on the same folder. */
  restart(options?: Partial<HsmOptions>): Promise<void>;
  close(): Promise<void>;
}

let shared: { dir: string; pki: Promise<Pki> } | undefined;

/** One PKI for a test file: making certificates is slow. */
export function testPki(): Promise<Pki> {
  if (!shared) {
    const dir = mkdtempSync(join(tmpdir(), "coffer-pki-"));
    shared = { dir, pki: ensurePki(dir) };
    process.once("exit", () => rmSync(dir, { recursive: true, force: true }));
  }
  return shared.pki;
}

export async function testHsm(options: Partial<HsmOptions> = {}): Promise<TestHsm> {
  const pki = await testPki();
  const dir = mkdtempSync(join(tmpdir(), "coffer-hsm-"));
  const transports: { close(): void }[] = [];
  const start = (more: Partial<HsmOptions> = {}) =>
    startHsm({ dir, pki, ttlvPort: 0, httpsPort: 0, ...options, ...more });
  const test: TestHsm = {
    hsm: await start(),
    pki,
    dir,
    exchange(pair, { transport: way, encoding }) {
      if (way === "https") return httpsExchanger(() => test.hsm.httpsPort, pki.serverCa, pair, encoding);
      const transport = tlsTransport({
        host: "127.0.0.1",
        port: test.hsm.ttlvPort,
        ca: pki.serverCa,
        ...pair,
      });
      transports.push(transport);
      return transport.exchange;
    },
    as(identity, version) {
      const pair = typeof identity === "string" ? pki.clients[identity] : identity;
      return createKmipClient({ exchange: test.exchange(pair, WAYS[0]), ...(version ? { version } : {}) });
    },
    async restart(more) {
      await test.hsm.close();
      test.hsm = await start(more);
    },
    async close() {
      for (const transport of transports) transport.close();
      await test.hsm.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return test;
}

/** `POST /kmip` for each message (KMIP Profiles 2.1 §5.3 HTTPS Profiles). */
function httpsExchanger(
  port: () => number,
  ca: string,
  pair: KeyAndCertificate,
  encoding: Encoding,
): Exchange {
  return async (body) => {
    const headers = { "Content-Type": MEDIA_TYPES[encoding], "Content-Length": body.length };
    const answer = await httpsExchange(port(), ca, pair, { headers, body });
    if (answer.status !== 200) throw new Error(`status ${answer.status}`);
    return new Uint8Array(answer.body);
  };
}

export interface HttpsAnswer {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  body: Buffer;
}

/** One HTTPS request with a client certificate (or without). */
export function httpsExchange(
  port: number,
  ca: string,
  pair: KeyAndCertificate | undefined,
  { path = "/kmip", method = "POST", headers = {}, body = Buffer.of() as Uint8Array } = {},
): Promise<HttpsAnswer> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      { host: "127.0.0.1", port, ca, path, method, headers, agent: false, ...pair },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        );
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}
