import type { AddressInfo } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Pki } from "#emulator/hsm/identity/pki.ts";
import { type TestHsm, testHsm, testPki } from "#emulator/hsm/testing/deployment.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import {
  createKmipClient,
  decodeRequest,
  encodeResponse,
  type RequestItem,
  type ResponseItem,
} from "#protocol/kmip/index.ts";
import { Framing, REQUEST_MESSAGE } from "./framing.ts";
import { connectKmip } from "./kmip-connect.ts";
import type { TlsServer } from "./tls-connection.ts";
import { type TlsPoolOptions, tlsPool } from "./tls-transport.ts";

let pki: Pki;
let hsm: TestHsm;
const opened: { close(): void }[] = [];
beforeAll(async () => {
  pki = await testPki();
  hsm = await testHsm();
});
afterAll(async () => {
  for (const one of opened) one.close();
  await hsm.close();
});

/** A server whose answers the test makes; without an answer it ends the connection. */
async function scripted(answer: (operation: unknown, at: TLSSocket) => ResponseItem | "hold" | undefined) {
  const sockets = new Set<TLSSocket>();
  const asked: unknown[] = [];
  const server = createServer({ ...pki.server, ca: pki.clientCa, requestCert: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    const framing = new Framing(REQUEST_MESSAGE, 1 << 20);
    socket.on("data", (chunk) => {
      for (const bytes of framing.push(chunk)) {
        const { header, items } = decodeRequest(bytes);
        asked.push(items[0]!.operation);
        const item = answer(items[0]!.operation, socket);
        if (item === "hold") continue;
        if (item === undefined) return socket.destroy();
        socket.write(
          encodeResponse({
            header: { protocolVersion: header.protocolVersion, timeStamp: new Date(0) },
            items: [item],
          }),
        );
      }
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  opened.push({ close });
  return { at: at((server.address() as AddressInfo).port), asked, sockets, close };
}

const at = (port: number): TlsServer => ({ host: "127.0.0.1", port });
const ping: ResponseItem = { operation: "Ping", resultStatus: "Success", payload: {} };

function pool(servers: TlsPoolOptions["servers"], options: Partial<TlsPoolOptions> = {}) {
  const transport = tlsPool({ servers, ca: pki.serverCa, ...pki.clients[IDENTITY.officer], ...options });
  opened.push(transport);
  return createKmipClient(transport);
}

const create: RequestItem = {
  operation: "Create",
  payload: {
    objectType: "SymmetricKey",
    attributes: { cryptographicAlgorithm: "AES", cryptographicUsageMask: ["Encrypt"] },
  },
};

describe("pool", () => {
  it("opens connections as they are needed, no more than it may", async () => {
    const server = await scripted(() => ping);
    const client = pool([server.at], { connections: 3 });
    await client.request("Ping", {});
    await client.request("Ping", {});
    expect(server.sockets.size).toBe(1);
    await Promise.all(Array.from({ length: 20 }, () => client.request("Ping", {})));
    expect(server.sockets.size).toBe(3);
    expect(server.asked.length).toBe(22);
  });

  it("goes to the next server when one is not there, and passes it over for a while", async () => {
    let time = 0;
    let first = await scripted(() => ping);
    const second = await scripted(() => ping);
    const client = pool([first.at, second.at], { connections: 1, rest: 1000, clock: () => time });
    await client.request("Ping", {});
    expect([first.asked.length, second.asked.length]).toEqual([1, 0]);
    const { port } = first.at;
    first.close();
    await new Promise((closed) => [...first.sockets][0]!.once("close", closed));
    await client.request("Ping", {});
    await client.request("Ping", {});
    expect(second.asked.length).toBe(2);
    // It is back, its rest is over, and the connection to the second server has ended.
    first = await revived(port);
    time = 2000;
    for (const socket of second.sockets) socket.destroy();
    await client.request("Ping", {});
    expect([first.asked.length, second.asked.length]).toEqual([1, 2]);
  });

  it("says that no server can be reached", async () => {
    const client = pool([at(1), at(2)]);
    await expect(client.request("Ping", {})).rejects.toMatchObject({ code: "unreachable" });
  });

  it("repeats what only reads when the connection broke, once, and nothing else", async () => {
    const server = await scripted(() => undefined);
    const client = pool([server.at]);
    await expect(client.request("Ping", {})).rejects.toMatchObject({ code: "interrupted" });
    expect(server.asked).toEqual(["Ping", "Ping"]);
    await expect(client.batch([create])).rejects.toMatchObject({ code: "interrupted" });
    await expect(client.batch([{ operation: "Ping", payload: {} }, create])).rejects.toThrow();
    expect(server.asked).toEqual(["Ping", "Ping", "Create", "Ping"]);
  });

  it("reads on from the second server when the first dies in the middle", async () => {
    const first = await scripted(() => {
      first.close();
      return undefined;
    });
    const second = await scripted(() => ping);
    await pool([first.at, second.at]).request("Ping", {});
    expect([first.asked, second.asked]).toEqual([["Ping"], ["Ping"]]);
  });

  it("gives up on a server that does not answer in time", async () => {
    const server = await scripted(() => "hold");
    const client = pool([server.at], { timeout: 50 });
    await expect(client.batch([create])).rejects.toMatchObject({ code: "interrupted" });
  });

  it("connects again after the idle time", async () => {
    const server = await scripted(() => ping);
    const client = pool([server.at], { idleTimeout: 20 });
    await client.request("Ping", {});
    await new Promise((closed) => [...server.sockets][0]!.once("close", closed));
    await client.request("Ping", {});
    expect(server.sockets.size).toBe(2);
  });

  it("is closed for good", async () => {
    const server = await scripted(() => ping);
    const transport = tlsPool({ servers: [server.at], ca: pki.serverCa, ...pki.clients[IDENTITY.officer] });
    transport.close();
    await expect(createKmipClient(transport).request("Ping", {})).rejects.toThrow("closed");
  });

  async function revived(port: number) {
    const asked: unknown[] = [];
    const server = createServer({ ...pki.server, ca: pki.clientCa, requestCert: true }, (socket) => {
      socket.on("error", () => {});
      socket.on("data", () => {
        asked.push("Ping");
        const header = { protocolVersion: { major: 2, minor: 1 }, timeStamp: new Date(0) };
        socket.write(encodeResponse({ header, items: [ping] }));
      });
    });
    await new Promise<void>((listening) => server.listen(port, "127.0.0.1", listening));
    opened.push(server);
    return { at: at(port), asked, sockets: new Set<TLSSocket>(), close: () => void server.close() };
  }
});

describe("connectKmip", () => {
  const options = () => ({
    servers: [at(1), at(hsm.hsm.ttlvPort)] as [TlsServer, TlsServer],
    ca: pki.serverCa,
    ...pki.clients[IDENTITY.officer],
  });

  it("takes the newest version in common, at the server that is there", async () => {
    const newest = await connectKmip(options());
    expect(newest.version).toEqual({ major: 2, minor: 1 });
    expect((await newest.request("Query", { queryFunction: ["QueryOperations"] })).operation).toContain(
      "Create",
    );
    newest.close();
    const versions = [
      { major: 1, minor: 2 },
      { major: 1, minor: 4 },
    ] as const;
    const older = await connectKmip({ ...options(), versions });
    expect(older.version).toEqual({ major: 1, minor: 4 });
    older.close();
    const fixed = await connectKmip({ ...options(), versions: [versions[0]] });
    expect(fixed.version).toEqual({ major: 1, minor: 2 });
    fixed.close();
  });

  it("takes a server that cannot tell its versions as 1.0", async () => {
    const ancient = await scripted(() => ({
      operation: "DiscoverVersions",
      resultStatus: "OperationFailed",
      resultReason: "OperationNotSupported",
    }));
    const client = await connectKmip({ ...options(), servers: [ancient.at] });
    expect(client.version).toEqual({ major: 1, minor: 0 });
    client.close();
  });

  it("fails when there is no version in common, or no server", async () => {
    const other = await scripted(() => ({
      operation: "DiscoverVersions",
      resultStatus: "Success",
      payload: { protocolVersion: [{ major: 9, minor: 0 }] },
    }));
    await expect(connectKmip({ ...options(), servers: [other.at] })).rejects.toMatchObject({
      code: "UnsupportedProtocolVersion",
    });
    await expect(connectKmip({ ...options(), servers: [at(1)] })).rejects.toMatchObject({
      code: "unreachable",
    });
  });
});
