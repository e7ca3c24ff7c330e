import { expect, it } from "vitest";
import { CofferError, type ErrorCode } from "../error.ts";
import { createPortClient, type PortCall, type PortHandler, refuseAll, servePort } from "./index.ts";

const edk = "e30.e30.c2ln";
const context = { tenant: "t", document: "d" };

function handler(overrides: Partial<PortHandler> = {}): PortHandler {
  const pass = async (_: unknown, input: Blob | ReadableStream<Uint8Array<ArrayBuffer>>) =>
    input instanceof Blob ? input.stream() : input.pipeThrough(new TransformStream());
  return {
    ...refuseAll("key-missing"),
    hello: async () => ({ version: 1, measurement: "sha384-x", instance: null }),
    enrol: async () => {
      // A code that only a newer release knows.
      throw new CofferError("grant-refused" as ErrorCode);
    },
    load: async () => ({ keyId: "k", keyVersion: 1 }),
    forget: async () => ({}),
    has: async () => ({ loaded: true }),
    lock: async () => ({}),
    certificate: async () => ({ certificate: "AAAA" }),
    prefetch: async () => ({}),
    renew: async () => ({ keyId: "k", keyVersion: 2 }),
    inspect: async () => ({ edk, context }),
    seal: pass,
    open: pass,
    ...overrides,
  };
}

function connect(overrides?: Partial<PortHandler>) {
  const { port1, port2 } = new MessageChannel();
  const stop = servePort(port2, handler(overrides));
  return { client: createPortClient(port1), stop, port1, port2 };
}

async function collect(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer());
}

it("answers calls, and errors by code alone", async () => {
  const { client } = connect();
  await expect(client.has(edk)).rejects.toMatchObject({ code: "hello-required" });
  expect(await client.hello("CN=page")).toEqual({ version: 1, measurement: "sha384-x", instance: null });
  expect(await client.has(edk)).toBe(true);
  await expect(client.enrol({ method: "grant", grant: "abc" })).rejects.toMatchObject({
    code: "grant-refused",
  });
  client.close();
  await expect(client.has(edk)).rejects.toMatchObject({ code: "port-closed" });
});

it("M17 takes for an operation none of the other calls, nor what every object has", async () => {
  const called: string[] = [];
  const { client } = connect({
    forget: async () => {
      called.push("forget");
      return {};
    },
    random: async () => ({ bytes: "AAAA" }),
  });
  await client.hello("CN=page");
  const operate = client.operate as (name: string, asked: object) => Promise<unknown>;
  for (const name of ["forget", "lock", "hello", "toString", "__proto__"])
    await expect(operate(name, {})).rejects.toMatchObject({ code: "forbidden" });
  expect(called).toEqual([]);
  expect(await operate("random", { length: 3 })).toEqual({ bytes: "AAAA" });
});

it("streams bytes, views, Blobs and ReadableStreams, larger than the window", async () => {
  const { client } = connect();
  await client.hello("CN=page");
  const bytes = new Uint8Array(10_000_000).map((_, i) => i % 251);
  const view = bytes.subarray(3, 9_000_000);
  const blob = new Blob([bytes]);
  const odd = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < bytes.length; at += 1_777_777) {
        controller.enqueue(bytes.subarray(at, at + 1_777_777));
        controller.enqueue(new Uint8Array());
      }
      controller.close();
    },
  });
  expect(Buffer.compare(await collect(client.seal({ edk, context }, view)), view)).toBe(0);
  expect(Buffer.compare(await collect(client.open({ context }, blob)), bytes)).toBe(0);
  expect(Buffer.compare(await collect(client.open({ context }, odd)), bytes)).toBe(0);
  expect(bytes.buffer.byteLength).toBe(10_000_000);
  client.close();
});

it("holds a sender back until the consumer takes the bytes", async () => {
  const { client } = connect();
  await client.hello("CN=page");
  let given = 0;
  const source = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        given += 1 << 20;
        controller.enqueue(new Uint8Array(1 << 20));
        if (given === 64 << 20) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  const reader = client.seal({ edk, context }, source).getReader();
  await reader.read();
  for (let i = 0; i < 20; i++) await client.has(edk);
  expect(given).toBeLessThan(14 << 20);
  let total = 1 << 20;
  for (let read = await reader.read(); !read.done; read = await reader.read()) total += read.value.length;
  expect(total).toBe(64 << 20);
  client.close();
});

it("cancels by signal on both ends", async () => {
  let reason: unknown;
  const { client } = connect({
    seal: async (_, __, signal) =>
      new ReadableStream({
        start: (controller) =>
          signal.addEventListener("abort", () => {
            reason = signal.reason;
            controller.error(reason);
          }),
      }),
  });
  await client.hello("CN=page");
  const abort = new AbortController();
  const reader = client.seal({ edk, context }, new Uint8Array(9), { signal: abort.signal }).getReader();
  const read = reader.read();
  abort.abort(new Error("enough"));
  await expect(read).rejects.toThrow("enough");
  await client.has(edk);
  expect(reason).toMatchObject({ code: "cancelled" });
  client.close();
});

it("refuses a CryptoKey anywhere, out and in", async () => {
  const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt"]);
  const { client, port1 } = connect();
  await client.hello("CN=page");
  await expect(client.has(key as unknown as string)).rejects.toMatchObject({ code: "port-violation" });
  await expect(
    client.load({ way: "rewrap", edk, wrappedKey: "AA", receipt: edk, key } as unknown as Parameters<
      typeof client.load
    >[0]),
  ).rejects.toMatchObject({ code: "port-violation" });
  expect(() => client.seal({ edk, context: { key } as never }, new Uint8Array(1))).toThrow("port-violation");

  const leaky = connect({ has: async () => ({ loaded: true, key }) as never });
  await leaky.client.hello("CN=page");
  await expect(leaky.client.has(edk)).rejects.toMatchObject({ code: "port-violation" });
  leaky.client.close();

  // Posted past the client's own check: the other end closes the port.
  const closed = new Promise((resolve) => port1.addEventListener("close", resolve));
  port1.postMessage({ v: 1, type: "call", id: 99, op: "has", params: { edk: key } });
  await closed;
});

it.each([
  ["another version", { v: 2, type: "cancel", id: 1 }],
  ["an unknown operation", { v: 1, type: "call", id: 9, op: "toString", params: {} }],
  ["an unknown type", { v: 1, type: "hasOwnProperty", id: 9 }],
  [
    "an enrolment by an unknown method",
    { v: 1, type: "call", id: 9, op: "enrol", params: { method: "x", grant: "abc" } },
  ],
  ["an enrolment by no method", { v: 1, type: "call", id: 9, op: "enrol", params: { grant: "abc" } }],
  ["an extra field", { v: 1, type: "cancel", id: 9, more: 1 }],
  ["no object", null],
  ["a chunk without bytes", { v: 1, type: "chunk", id: 9, bytes: new ArrayBuffer(0) }],
])("closes the port on %s", async (_, message) => {
  const { client, port1 } = connect();
  await client.hello("CN=page");
  const closed = new Promise((resolve) => port1.addEventListener("close", resolve));
  port1.postMessage(message);
  await closed;
});

it("closes the port on a used call id, and on more bytes than the credit allows", async () => {
  for (const messages of [
    [{ v: 1, type: "call", id: 1, op: "has", params: { edk } }],
    [
      { v: 1, type: "call", id: 7, op: "seal", params: { edk, context } },
      ...Array.from({ length: 6 }, () => ({ v: 1, type: "chunk", id: 7, bytes: new ArrayBuffer(1 << 20) })),
    ],
  ]) {
    const { client, port1 } = connect({ seal: async () => new ReadableStream() });
    await client.hello("CN=page");
    const closed = new Promise((resolve) => port1.addEventListener("close", resolve));
    for (const message of messages) port1.postMessage(message);
    await closed;
  }
});

it("tells a watcher of each call that has ended, with the keys that it brought and the code where it failed", async () => {
  const { port1, port2 } = new MessageChannel();
  servePort(port2, handler());
  const told: PortCall[] = [];
  const client = createPortClient(port1, (call) => told.push(call));
  await client.hello("CN=page");
  await client.load({ way: "rewrap", edk, wrappedKey: "AAAA", receipt: edk });
  await expect(client.compare({ account: "a", documents: [] })).rejects.toMatchObject({
    code: "key-missing",
  });
  await collect(client.seal({ edk, context }, new Uint8Array(10)));
  expect(told.map(({ what, code, loaded }) => [what, code, loaded])).toEqual([
    ["hello", undefined, undefined],
    ["load", undefined, [{ keyId: "k", keyVersion: 1 }]],
    ["compare", "key-missing", undefined],
    ["seal", undefined, undefined],
  ]);
  for (const { at, ms } of told) expect([at > 0, ms >= 0]).toEqual([true, true]);
  client.close();
});

it("ends each call of a port that closes, though its watcher throws", async () => {
  const { port1, port2 } = new MessageChannel();
  servePort(port2, handler({ has: () => new Promise(() => {}) }));
  let fails = false;
  const client = createPortClient(port1, () => {
    if (fails) throw new Error("of the app");
  });
  await client.hello("CN=page");
  fails = true;
  const ended = Promise.all(
    [1, 2, 3].map(() => expect(client.has(edk)).rejects.toMatchObject({ code: "port-closed" })),
  );
  expect(() => client.close()).toThrow("of the app");
  await ended;
});

it("tells a watcher of a stream that was given up, and of each call that a port which closes ends, once", async () => {
  const { port1, port2 } = new MessageChannel();
  servePort(port2, handler({ has: () => new Promise(() => {}) }));
  const told: string[] = [];
  const client = createPortClient(port1, ({ what, code }) => told.push(`${what} ${code}`));
  await client.hello("CN=page");
  const never = () => new ReadableStream<Uint8Array>();
  const abort = new AbortController();
  const aborted = collect(client.seal({ edk, context }, never(), { signal: abort.signal }));
  const stopped = client.open({ context, key: edk }, never());
  abort.abort(new CofferError("paused"));
  await expect(aborted).rejects.toMatchObject({ code: "paused" });
  await stopped.cancel();
  expect(told).toEqual(["hello undefined", "seal paused", "open cancelled"]);
  const asked = client.has(edk);
  const sealed = collect(client.seal({ edk, context }, never()));
  client.close();
  for (const one of [asked, sealed]) await expect(one).rejects.toMatchObject({ code: "port-closed" });
  client.close();
  expect(told.slice(3)).toEqual(["has port-closed", "seal port-closed"]);
  expect(client.underWay).toBe(0);
});
