import { mkdtempSync, rmSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createKmipClient, type KmipClient } from "#protocol/kmip/index.ts";
import { ensurePki, type KeyAndCertificate, type Pki } from "./pki.ts";
import { type Hsm, type HsmOptions, startHsm } from "./server.ts";
import { tlsTransport } from "./tls-transport.ts";

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
    as(identity, version) {
      const pair = typeof identity === "string" ? pki.clients[identity] : identity;
      const transport = tlsTransport({
        host: "127.0.0.1",
        port: test.hsm.ttlvPort,
        ca: pki.serverCa,
        ...pair,
      });
      transports.push(transport);
      return createKmipClient({ ...transport, ...(version ? { version } : {}) });
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
            status: response.statusCode!,
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
