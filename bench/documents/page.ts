/** The benchmark page: orders from outside, answers in milliseconds. */

import { createPortClient, type PortClient } from "#protocol/port/index.ts";
import { CONTEXT, discard, type Times, timed } from "./measure.ts";
import { onlyRead, slices, toOpfs, toServer } from "./pipelines.ts";
import type { RangeTimes } from "./range.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A Worker that has carried out an order, and what it answered. */
function ordered<T>(
  order: object,
  transfer: Transferable[] = [],
  script = "/worker.js",
): Promise<{ worker: Worker; answer: T }> {
  const worker = new Worker(script, { type: "module" });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve({ worker, answer: data as T });
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(order, transfer);
  });
}

async function ask<T = Times>(order: object, script?: string): Promise<T> {
  const { worker, answer } = await ordered<T>(order, [], script);
  worker.terminate();
  return answer;
}

const chosen = () => document.querySelector("input")!.files![0]!;

/** Works with a microservice's end in a Worker, by the app's here. */
async function connected<T>(work: (microservice: PortClient) => Promise<T>): Promise<T> {
  const { port1, port2 } = new MessageChannel();
  const { worker } = await ordered({ what: "port" }, [port2]);
  const microservice = createPortClient(port1);
  try {
    await microservice.hello("CN=bench");
    return await work(microservice);
  } finally {
    microservice.close();
    worker.terminate();
  }
}

/** Ciphertext of the chosen file, as the app's side gets it. */
const sealedBy = (microservice: PortClient) =>
  microservice.seal({ edk: "e.d.k", context: CONTEXT }, chosen()) as ReadableStream<Bytes>;

/** A File goes in, ciphertext comes out here and is let go. */
async function port(): Promise<Times> {
  const { ms: seal } = await connected((microservice) => timed(() => discard(sealedBy(microservice))));
  return { seal, read: await onlyRead(chosen()) };
}

/** Ciphertext, which is made first, goes in, and plaintext comes out. */
function portOpen(): Promise<Times> {
  return connected(async (microservice) => {
    const ciphertext = await new Response(sealedBy(microservice)).blob();
    const read = await onlyRead(ciphertext);
    const open = await timed(() => discard(microservice.open({ context: CONTEXT }, ciphertext)));
    if (open.value !== chosen().size) throw new Error("what was opened has another length");
    return { open: open.ms, read };
  });
}

type Write = (stream: ReadableStream<Bytes>) => Promise<unknown>;

/** The file sealed over the port and written, and the same file written as it is, by the same code. */
async function written(write: Write): Promise<Times> {
  const plain = await timed(() => write(slices(chosen())));
  const seal = await connected((microservice) => timed(() => write(sealedBy(microservice))));
  return { seal: seal.ms, plain: plain.ms };
}

/** Sealed over the port and written, and nothing else, untimed: for memory. */
const sealedTo = (write: Write) => connected((microservice) => write(sealedBy(microservice)));

Object.assign(globalThis, {
  measure: {
    memory: (size: number) => ask({ what: "memory", size }),
    file: () => ask({ what: "file", file: chosen() }),
    peers: (size: number) => ask({ size }, "/peers.js"),
    range: (size: number) => ask<RangeTimes>({ what: "range", size }),
    port,
    portOpen,
    opfs: () => written(toOpfs),
    server: () => written(toServer),
    sealed: {
      port: () => sealedTo(discard),
      opfs: () => sealedTo(toOpfs),
      server: () => sealedTo(toServer),
    },
  },
});
