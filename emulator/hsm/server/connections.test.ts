import { setTimeout as sleep } from "node:timers/promises";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Framing, RESPONSE_MESSAGE } from "#kmip-node/framing.ts";
import { concat } from "#protocol/bytes.ts";
import {
  decodeResponse,
  encodeRequest,
  type RequestItem,
  type RequestMessage,
} from "#protocol/kmip/index.ts";
import { issueClient, type KeyAndCertificate } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { AES } from "../testing/hierarchy.ts";

/** How conversations end: no matter who ends one, what was executed is answered. */

let test: TestHsm;
let alice: KeyAndCertificate;
beforeAll(async () => {
  test = await testHsm({ idleTimeout: 2000 });
  alice = await issueClient(test.pki.dir, "alice");
});
afterAll(() => test.close());

const request = (item: RequestItem, header: Partial<RequestMessage["header"]> = {}) => batch([item], header);
const batch = (items: RequestItem[], header: Partial<RequestMessage["header"]> = {}) =>
  encodeRequest({ header: { protocolVersion: { major: 2, minor: 1 }, ...header }, items });
const create = request({
  operation: "Create",
  payload: { objectType: "SymmetricKey", attributes: { ...AES, cryptographicUsageMask: ["Encrypt"] } },
});
const createPair: RequestItem = {
  operation: "CreateKeyPair",
  payload: {
    commonAttributes: { cryptographicAlgorithm: "RSA", cryptographicLength: 3072 },
    privateKeyAttributes: { cryptographicUsageMask: ["Sign"] },
    publicKeyAttributes: { cryptographicUsageMask: ["Verify"] },
  },
};
const slow = request(createPair);

function open(options: ConnectionOptions = {}): TLSSocket {
  const socket = connect({
    host: "127.0.0.1",
    port: test.hsm.ttlvPort,
    ca: test.pki.serverCa,
    ...alice,
    ...options,
  });
  socket.on("error", () => {});
  socket.allowHalfOpen = true;
  return socket;
}

/** The results of all messages that come until the server closes its side. */
async function results(socket: TLSSocket): Promise<unknown[]> {
  const framing = new Framing(RESPONSE_MESSAGE, 1 << 20);
  const received: unknown[] = [];
  for await (const chunk of socket)
    for (const answer of framing.push(chunk))
      received.push(...decodeResponse(answer).items.map(({ resultStatus }) => resultStatus));
  return received;
}

describe.each(["TLSv1.2", "TLSv1.3"] as const)("a client that closes its side (%s)", (version) => {
  const over = { minVersion: version, maxVersion: version };

  it("has the answer to its request", async () => {
    const socket = open(over);
    socket.end(create);
    expect(await results(socket)).toEqual(["Success"]);
  });

  it("has the answers to all requests that it sent together, long ones too", async () => {
    const socket = open(over);
    const quick = Array.from({ length: 100 }, () => create);
    socket.end(concat(...quick, slow, create));
    expect(await results(socket)).toEqual(Array.from({ length: 102 }, () => "Success"));
  });

  it("has the answers before a request that is cut off", async () => {
    const socket = open(over);
    socket.end(concat(create, create.subarray(0, 50)));
    expect(await results(socket)).toEqual(["Success"]);
  });
});

it("is told the correlation value of asynchronous work after closing its side, and asks for the answer later", async () => {
  const socket = open();
  const mandatory = { asynchronousIndicator: "Mandatory" } as const;
  socket.end(
    request(
      {
        operation: "Create",
        payload: { objectType: "SymmetricKey", attributes: { ...AES, cryptographicUsageMask: ["Encrypt"] } },
      },
      mandatory,
    ),
  );
  const framing = new Framing(RESPONSE_MESSAGE, 1 << 20);
  const received: Uint8Array[] = [];
  for await (const chunk of socket) received.push(...framing.push(chunk));
  const [item] = decodeResponse(received[0]!).items;
  expect(item?.resultStatus).toBe("OperationPending");
  const { asynchronousCorrelationValue } = item as { asynchronousCorrelationValue: Uint8Array<ArrayBuffer> };
  const later = open();
  later.end(request({ operation: "Poll", payload: { asynchronousCorrelationValue } }));
  expect(await results(later)).toEqual(["Success"]);
});

it("answers what came before bytes that are no KMIP", async () => {
  const socket = open();
  socket.write(concat(slow, create, Buffer.from("GET / HTTP/1.1\r\n\r\n")));
  expect(await results(socket)).toEqual(["Success", "Success"]);
});

it("answers what it executes while the server stops", async () => {
  const own = await testHsm();
  const socket = open({ port: own.hsm.ttlvPort });
  const arrived = new Promise<void>((resolve) => {
    own.hsm.onMessage = () => resolve();
  });
  socket.write(slow);
  await arrived;
  const [answers] = await Promise.all([results(socket), own.close()]);
  expect(answers).toEqual(["Success"]);
});

it("ends a half-open connection whose client takes no answer", async () => {
  const own = await testHsm({ idleTimeout: 300 });
  const socket = open({ port: own.hsm.ttlvPort });
  const item: RequestItem = { operation: "RNGRetrieve", payload: { dataLength: 65_536 } };
  const random = encodeRequest({
    header: { protocolVersion: { major: 2, minor: 1 } },
    items: Array.from({ length: 8 }, () => item),
  });
  socket.pause();
  socket.end(concat(...Array.from({ length: 60 }, () => random)));
  await sleep(2500);
  // What was on its way still comes, and then the end.
  expect((await results(socket)).length).toBeLessThan(480);
  await own.close();
});

/** As a POST request. */
function posted(body: Uint8Array): Uint8Array {
  const head = `POST /kmip HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/octet-stream\r\nContent-Length: ${body.length}\r\n\r\n`;
  return concat(Buffer.from(head), body);
}

async function text(socket: TLSSocket): Promise<string> {
  let answer = "";
  for await (const chunk of socket) answer += (chunk as Buffer).toString("latin1");
  return answer;
}

it("answers over HTTPS a client that closes its side after the request", async () => {
  const socket = open({ port: test.hsm.httpsPort });
  socket.end(posted(slow));
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
});

it("answers over HTTPS what it executes while the server stops", async () => {
  const own = await testHsm();
  const socket = open({ port: own.hsm.httpsPort });
  const idle = open({ port: own.hsm.httpsPort });
  const arrived = new Promise<void>((resolve) => {
    own.hsm.onMessage = () => resolve();
  });
  socket.write(posted(slow));
  await arrived;
  const [answer, none] = await Promise.all([text(socket), text(idle), own.close()]);
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(none).toBe("");
});

it.each(["ttlvPort", "httpsPort"] as const)(
  "waits for work that is longer than a connection may be idle (%s)",
  async (port) => {
    const own = await testHsm({ idleTimeout: 50 });
    const socket = open({ port: own.hsm[port] });
    // One pair may be found in less time than that; eight are not.
    const long = batch(Array.from({ length: 8 }, () => createPair));
    socket.write(port === "ttlvPort" ? long : posted(long));
    // Then it is idle, and is closed.
    const answer = await Promise.race([text(socket), sleep(20_000, "still open", { ref: false })]);
    expect(answer.length).toBeGreaterThan(100);
    await own.close();
  },
);
