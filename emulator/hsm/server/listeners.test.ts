import "reflect-metadata";
import { connect as connectTcp } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type TLSSocket } from "node:tls";
import * as x509 from "@peculiar/x509";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Framing, FramingError, RESPONSE_MESSAGE } from "#kmip-node/framing.ts";
import { tlsTransport } from "#kmip-node/index.ts";
import { concat } from "#protocol/bytes.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import {
  createKmipClient,
  decodeResponse,
  encodeRequest,
  MEDIA_TYPES,
  type RequestMessage,
} from "#protocol/kmip/index.ts";
import { issueClient, type KeyAndCertificate } from "../identity/pki.ts";
import { httpsExchange, type TestHsm, testHsm, type Way } from "../testing/deployment.ts";
import { forged } from "../testing/forged-client.ts";
import { AES } from "../testing/hierarchy.ts";

let test: TestHsm;
beforeAll(async () => {
  test = await testHsm({ limit: 4096, idleTimeout: 300 });
});
afterAll(() => test.close());

const message = (identifier: string, major = 2, minor = 1): RequestMessage => ({
  header: { protocolVersion: { major, minor } },
  items: [
    {
      operation: "DiscoverVersions",
      uniqueBatchItemId: new TextEncoder().encode(identifier),
      payload: { protocolVersion: [] },
    },
  ],
});
const identifierOf = (answer: Uint8Array) =>
  new TextDecoder().decode(decodeResponse(answer).items[0]!.uniqueBatchItemId);
const ping = encodeRequest(message("ping"));

function socketAs(pair: KeyAndCertificate | undefined, options: object = {}): TLSSocket {
  const socket = connect({
    host: "127.0.0.1",
    port: test.hsm.ttlvPort,
    ca: test.pki.serverCa,
    ...pair,
    ...options,
  });
  socket.on("error", () => {});
  return socket;
}

/** What the server sends until it closes the connection or has answered `count` messages. */
function answers(socket: TLSSocket, count = Number.POSITIVE_INFINITY): Promise<Uint8Array[]> {
  const framing = new Framing(RESPONSE_MESSAGE, 1 << 20);
  const received: Uint8Array[] = [];
  return new Promise((resolve) => {
    socket.on("data", (chunk) => {
      received.push(...framing.push(chunk));
      if (received.length >= count) socket.destroy();
    });
    socket.on("close", () => resolve(received));
  });
}

describe("TTLV over TLS", () => {
  it("answers pipelined requests in order, however they are cut into packets", async () => {
    const requests = Array.from({ length: 200 }, (_, i) => encodeRequest(message(`request ${i}`)));
    const socket = socketAs(test.pki.clients[IDENTITY.kms]);
    const all = concat(...requests);
    socket.write(all.subarray(0, 1));
    socket.write(all.subarray(1, 5));
    socket.write(all.subarray(5, 1000));
    socket.write(all.subarray(1000));
    const received = await answers(socket, requests.length);
    expect(received.map((bytes) => identifierOf(bytes))).toEqual(requests.map((_, i) => `request ${i}`));
  });

  it("closes on what is no KMIP, on a length bomb and on a message over the limit", async () => {
    for (const bytes of [
      Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
      Buffer.from("42007801ffffffff", "hex"),
      Buffer.from("4200780100001001", "hex"),
      Buffer.from("42007b0100000008", "hex"),
    ]) {
      const socket = socketAs(test.pki.clients[IDENTITY.kms]);
      socket.write(bytes);
      expect(await answers(socket)).toEqual([]);
    }
  });

  it("answers a message that it cannot read, and goes on", async () => {
    const socket = socketAs(test.pki.clients[IDENTITY.kms]);
    socket.write(Buffer.from("42007801000000084200770100000000", "hex"));
    socket.write(ping);
    const [bad, good] = await answers(socket, 2);
    expect(decodeResponse(bad!).items).toMatchObject([
      { resultStatus: "OperationFailed", resultReason: "InvalidMessage" },
    ]);
    expect(decodeResponse(good!).items).toMatchObject([{ resultStatus: "Success" }]);
  });

  it("closes connections that are idle or stuck in the middle of a message", async () => {
    const idle = socketAs(test.pki.clients[IDENTITY.kms]);
    const stuck = socketAs(test.pki.clients[IDENTITY.kms]);
    stuck.write(ping.subarray(0, 20));
    expect(await Promise.all([answers(idle), answers(stuck)])).toEqual([[], []]);
  });

  it("closes connections that do not take their answers", async () => {
    const socket = socketAs(await issueClient(test.pki.dir, "deaf"));
    const random = encodeRequest({
      header: { protocolVersion: { major: 2, minor: 1 } },
      items: [{ operation: "RNGRetrieve", payload: { dataLength: 65_536 } }],
    });
    socket.pause();
    socket.write(concat(...Array.from({ length: 300 }, () => random)));
    await sleep(2000);
    // What was on its way still comes, and then the end.
    const received = answers(socket, 300);
    socket.resume();
    expect((await received).length).toBeLessThan(300);
  });

  it("speaks TLS 1.2 and 1.3, and nothing older", async () => {
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const socket = socketAs(test.pki.clients[IDENTITY.kms], { minVersion: version, maxVersion: version });
      socket.write(ping);
      expect((await answers(socket, 1)).length).toBe(1);
    }
    const socket = socketAs(test.pki.clients[IDENTITY.kms], { minVersion: "TLSv1", maxVersion: "TLSv1.1" });
    socket.write(ping);
    expect(await answers(socket)).toEqual([]);
  });

  it("refuses a client without a client certificate of its authority for client authentication", async () => {
    for (const pair of [
      undefined,
      test.pki.server,
      await forged(test.pki, { authority: "other" }),
      await forged(test.pki, { usage: x509.ExtendedKeyUsage.serverAuth }),
      await forged(test.pki, { usage: undefined }),
      await forged(test.pki, { names: [IDENTITY.kms, "alice"] }),
      await forged(test.pki, { names: [] }),
      await forged(test.pki, { notAfter: new Date(Date.now() - 1000) }),
      await forged(test.pki, { ca: true }),
    ]) {
      const socket = socketAs(pair);
      socket.write(ping);
      expect(await answers(socket)).toEqual([]);
    }
    const socket = socketAs(await forged(test.pki, {}));
    socket.write(ping);
    expect((await answers(socket, 1)).length).toBe(1);
    const plain = connectTcp(test.hsm.ttlvPort, "127.0.0.1");
    plain.on("error", () => {});
    plain.write(ping);
    const bytes = await new Promise<number>((resolve) => {
      plain.on("data", () => {});
      plain.on("close", () => resolve(plain.bytesRead));
    });
    expect(bytes).toBeLessThan(64);
  });
});

describe("HTTPS", () => {
  const type = { "Content-Type": "application/octet-stream" };
  const post = (options: Parameters<typeof httpsExchange>[3]) =>
    httpsExchange(test.hsm.httpsPort, test.pki.serverCa, test.pki.clients[IDENTITY.kms], options);

  it("answers POST /kmip with length and no-cache", async () => {
    const { status, headers, body } = await post({
      headers: { ...type, "Content-Length": ping.length },
      body: ping,
    });
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      "content-type": "application/octet-stream",
      "content-length": String(body.length),
      "cache-control": "no-cache",
    });
    expect(decodeResponse(body).items).toMatchObject([{ resultStatus: "Success" }]);
  });

  it("answers JSON and XML in kind", async () => {
    for (const encoding of ["json", "xml"] as const) {
      const body = encodeRequest(message("twin"), encoding);
      const headers = { "Content-Type": MEDIA_TYPES[encoding], "Content-Length": body.length };
      const answer = await post({ headers, body });
      expect(answer.headers["content-type"]).toBe(MEDIA_TYPES[encoding]);
      expect(decodeResponse(answer.body, { encoding }).items).toMatchObject([{ resultStatus: "Success" }]);
      const bad = await post({ headers: { ...headers, "Content-Length": 1 }, body: Buffer.from("<") });
      expect(decodeResponse(bad.body, { encoding }).items).toMatchObject([
        { resultStatus: "OperationFailed" },
      ]);
    }
  });

  it("says so when an answer has no form in the encoding that was asked in", async () => {
    const pair = await issueClient(test.pki.dir, "alice");
    const over = (way: Way) =>
      createKmipClient({ exchange: test.exchange(pair, way), encoding: way.encoding });
    const { uniqueIdentifier } = await over({ transport: "tls", encoding: "ttlv" }).request("Create", {
      objectType: "SymmetricKey",
      attributes: { ...AES, cryptographicUsageMask: ["Encrypt"], contactInformation: "bell \u0007" },
    });
    const asked = { uniqueIdentifier, attributeReference: ["contactInformation" as const] };
    const read = (encoding: Way["encoding"]) =>
      over({ transport: "https", encoding }).request("GetAttributes", asked);
    expect((await read("json")).attributes.contactInformation).toBe("bell \u0007");
    await expect(read("xml")).rejects.toThrow("no form in this encoding");
  });

  it("answers a KMIP error with 200", async () => {
    const bad = Buffer.from("nonsense");
    const { status, body } = await post({ headers: { ...type, "Content-Length": bad.length }, body: bad });
    expect(status).toBe(200);
    expect(decodeResponse(body).items).toMatchObject([{ resultReason: "InvalidMessage" }]);
  });

  it("refuses other methods, types, paths, lengths with their status", async () => {
    const length = { "Content-Length": ping.length };
    expect((await post({ method: "GET" })).status).toBe(405);
    expect((await post({ method: "PUT", headers: { ...type, ...length }, body: ping })).headers.allow).toBe(
      "POST",
    );
    expect((await post({ path: "/", headers: { ...type, ...length }, body: ping })).status).toBe(404);
    expect((await post({ headers: { "Content-Type": "text/plain", ...length }, body: ping })).status).toBe(
      406,
    );
    expect((await post({ headers: length, body: ping })).status).toBe(406);
    expect((await post({ headers: { ...type, "Transfer-Encoding": "chunked" }, body: ping })).status).toBe(
      411,
    );
    expect(
      (await post({ headers: { ...type, "Content-Length": 4097 }, body: new Uint8Array(4097) })).status,
    ).toBe(413);
  });

  it("refuses a client without a client certificate", async () => {
    for (const pair of [
      undefined,
      test.pki.server,
      await forged(test.pki, { authority: "other" }),
      await forged(test.pki, { names: [] }),
    ])
      await expect(
        httpsExchange(test.hsm.httpsPort, test.pki.serverCa, pair, {
          headers: { ...type, "Content-Length": ping.length },
          body: ping,
        }),
      ).rejects.toThrow();
  });
});

describe("TLS client transport", () => {
  const options = () => ({
    host: "127.0.0.1",
    port: test.hsm.ttlvPort,
    ca: test.pki.serverCa,
    ...test.pki.clients[IDENTITY.iam],
  });

  it("pipelines over one connection and matches answers to requests", async () => {
    const transport = tlsTransport(options());
    const sent = Array.from({ length: 50 }, (_, i) => transport.exchange(encodeRequest(message(`${i}`))));
    const received = await Promise.all(sent);
    expect(received.map((bytes) => identifierOf(bytes))).toEqual(sent.map((_, i) => `${i}`));
    transport.close();
  });

  it("connects again after the server closed an idle connection", async () => {
    const transport = tlsTransport(options());
    await transport.exchange(ping);
    const idle = socketAs(test.pki.clients[IDENTITY.kms]);
    await answers(idle);
    await answers(socketAs(test.pki.clients[IDENTITY.kms]));
    expect(decodeResponse(await transport.exchange(ping)).items.length).toBe(1);
    transport.close();
  });

  it("rejects when the server is not the one it trusts, and when nobody is there", async () => {
    const strangers = tlsTransport({ ...options(), ca: test.pki.clientCa });
    await expect(strangers.exchange(ping)).rejects.toThrow();
    const elsewhere = tlsTransport({ ...options(), serverName: "example.org" });
    await expect(elsewhere.exchange(ping)).rejects.toThrow();
    const nobody = tlsTransport({ ...options(), port: 1 });
    await expect(nobody.exchange(ping)).rejects.toThrow();
  });

  it("rejects what was on its way when it is closed", async () => {
    const transport = tlsTransport(options());
    const sent = transport.exchange(ping);
    transport.close();
    await expect(sent).rejects.toThrow();
  });
});

it("frames refuse what does not begin as a message", () => {
  expect(() => [...new Framing(0x420078, 1024).push(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8))]).toThrow(
    FramingError,
  );
});
