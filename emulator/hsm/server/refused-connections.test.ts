import "reflect-metadata";
import { readFileSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { connect } from "node:tls";
import * as x509 from "@peculiar/x509";
import { afterAll, beforeAll, expect, it } from "vitest";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import type { KeyAndCertificate } from "../identity/pki.ts";
import type { LogLine } from "../log.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { type Forgery, forged } from "../testing/forged-client.ts";
import { refusalLog } from "./refused-connections.ts";

let test: TestHsm;
let lines: LogLine[] = [];
beforeAll(async () => {
  test = await testHsm({ limit: 4096, log: (line) => lines.push(line) });
});
afterAll(() => test.close());

/** Everything that comes until the connection has ended, for whatever reason. */
function ended(socket: Socket): Promise<string> {
  let error = "";
  socket.on("error", (failure: Error & { code?: string }) => {
    error = failure.code ?? failure.message;
  });
  socket.resume();
  return new Promise((resolve) => socket.on("close", () => resolve(error)));
}

const tls = (pair?: KeyAndCertificate, options: object = {}) =>
  connect({ host: "127.0.0.1", port: test.hsm.ttlvPort, ca: test.pki.serverCa, ...pair, ...options });
function plain(bytes: Uint8Array, port = test.hsm.ttlvPort): Socket {
  const socket = connectTcp(port, "127.0.0.1");
  socket.write(bytes);
  return socket;
}
/** The same at the HTTPS port, with what is sent once the handshake is through. */
const https = (text: string, pair?: KeyAndCertificate) => {
  const socket = tls(pair, { port: test.hsm.httpsPort });
  socket.write(text);
  return socket;
};
const POST = "POST /kmip HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n";
const by = (forgery: Forgery) => async () => tls(await forged(test.pki, forgery));

const REFUSED: [string, () => Socket | Promise<Socket>][] = [
  ["no-certificate", () => tls()],
  ["not-for-clients", by({ usage: x509.ExtendedKeyUsage.serverAuth })],
  ["not-for-clients", by({ usage: undefined })],
  ["foreign-authority", by({ authority: "other" })],
  ["expired", by({ notAfter: new Date(Date.now() - 1000) })],
  ["common-name", by({ names: [] })],
  ["common-name", by({ names: ["alice", "bob"] })],
  ["common-name", by({ names: ["alice\nevent=Get \u001b[2J"] })],
  ["authority-certificate", by({ ca: true })],
  [
    "protocol-too-old",
    () =>
      tls(test.pki.clients[IDENTITY.kms], {
        minVersion: "TLSv1",
        maxVersion: "TLSv1.1",
        ciphers: "DEFAULT@SECLEVEL=0",
      }),
  ],
  ["plain-http", () => plain(Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))],
  ["not-tls", () => plain(Buffer.from("42007801000000084200770100000000", "hex"))],
  [
    "message-too-long",
    () => {
      const socket = tls(test.pki.clients[IDENTITY.kms]);
      socket.write(Buffer.from("4200780100001001", "hex"));
      return socket;
    },
  ],
];

const REFUSED_HTTPS: [string, () => Socket | Promise<Socket>][] = [
  ["no-certificate", () => https(`${POST}Content-Length: 0\r\n\r\n`)],
  ["foreign-authority", async () => https(POST, await forged(test.pki, { authority: "other" }))],
  ["not-for-clients", async () => https(POST, await forged(test.pki, { usage: undefined }))],
  ["plain-http", () => plain(Buffer.from("GET / HTTP/1.1\r\n\r\n"), test.hsm.httpsPort)],
  ["not-tls", () => plain(Buffer.from("42007801000000084200770100000000", "hex"), test.hsm.httpsPort)],
  ["not-http", () => https("no request\r\n\r\n", test.pki.clients[IDENTITY.kms])],
  ["message-too-long", () => https(`${POST}Content-Length: 4097\r\n\r\n`, test.pki.clients[IDENTITY.kms])],
];

it.each([
  ...REFUSED.map(([code, begin]) => [code, "tls", begin] as const),
  ...REFUSED_HTTPS.map(([code, begin]) => [code, "https", begin] as const),
])("leaves one line with its reason: %s over %s", async (code, transport, begin) => {
  // Each test has a minute's lines for itself.
  await test.restart();
  lines = [];
  await ended(await begin());
  await expect.poll(() => lines.length).toBeGreaterThan(0);
  await test.hsm.close();
  const refusals = lines.filter(({ event }) => event === "refused-connection");
  expect(refusals).toEqual([expect.objectContaining({ code, transport, reason: expect.any(String) })]);
  const kept = readFileSync(test.hsm.logPath, "utf8")
    .trimEnd()
    .split("\n")
    .map((text) => JSON.parse(text));
  expect(kept.at(-1)).toMatchObject({ event: "refused-connection", code, reason: refusals[0]!.reason });
  await test.restart();
});

it("takes a certificate for any use", async () => {
  const socket = tls(await forged(test.pki, { usage: "2.5.29.37.0" }));
  socket.write(Buffer.from("42007801000000084200770100000000", "hex"));
  const first = await new Promise((resolve) => {
    socket.once("data", resolve);
    socket.once("close", () => resolve(undefined));
    socket.on("error", () => {});
  });
  socket.destroy();
  expect(first).toBeDefined();
});

it("shows its RSA certificate to a client of TLS 1.2 without ECDSA, and ECDSA to others", async () => {
  for (const [options, type] of [
    [{ maxVersion: "TLSv1.2", ciphers: "ECDHE-RSA-AES128-GCM-SHA256" }, "rsa"],
    [{}, "ec"],
  ] as const) {
    const socket = tls(test.pki.clients[IDENTITY.kms], options);
    await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
    expect(socket.getPeerX509Certificate()!.publicKey.asymmetricKeyType).toBe(type);
    socket.destroy();
  }
});

it("writes five lines a minute for one reason, and then how many more there were", () => {
  const written: LogLine[] = [];
  let time = 0;
  const refusals = refusalLog(
    (line) => written.push(line),
    () => new Date(time),
  );
  const tell = () => refusals.tell({ code: "not-tls", reason: "No TLS." }, { transport: "tls" });
  for (let i = 0; i < 1000; i++) tell();
  expect(written.length).toBe(5);
  refusals.tell({ code: "expired", reason: "Expired." }, { transport: "tls" });
  expect(written.length).toBe(6);
  time = 60_000;
  tell();
  expect(written.slice(6)).toMatchObject([
    { code: "not-tls", more: 995 },
    { code: "not-tls", reason: "No TLS." },
  ]);
  refusals.close();
});
