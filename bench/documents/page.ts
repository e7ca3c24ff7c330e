/** The benchmark page: orders from outside, answers in milliseconds. */

import { createPortClient, type PortClient } from "#protocol/port/index.ts";
import { CONTEXT, discard, type Times, timed } from "./measure.ts";
import { onlyRead, slices, toOpfs, toServer } from "./pipelines.ts";
import type { RangeTimes } from "./range.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What a Worker of this page answers to an order. */
function ask<T = Times>(order: object, script = "/worker.js"): Promise<T> {
  const worker = new Worker(script, { type: "module" });
  return new Promise<T>((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data as T);
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(order);
  }).finally(() => worker.terminate());
}

const chosen = () => document.querySelector("input")!.files![0]!;

/** A frame on another site, and so in another process, there before anything is measured, as a page has the vault's. */
const vault = document.createElement("iframe");
vault.src = `http://localhost:${location.port}/vault`;
const told = (what: string) =>
  new Promise<void>((resolve) => {
    const listen = ({ source, data }: MessageEvent) => {
      if (source !== vault.contentWindow || data !== what) return;
      removeEventListener("message", listen);
      resolve();
    };
    addEventListener("message", listen);
  });
const loaded = told("loaded");
document.body.append(vault);

/** Works with a microservice's end in the Worker of that frame, by the app's here. */
async function connected<T>(work: (microservice: PortClient) => Promise<T>): Promise<T> {
  await loaded;
  const { port1, port2 } = new MessageChannel();
  const connecting = told("connected");
  vault.contentWindow!.postMessage({ what: "port" }, "*", [port2]);
  await connecting;
  const microservice = createPortClient(port1);
  try {
    await microservice.hello("CN=bench");
    return await work(microservice);
  } finally {
    microservice.close();
    vault.contentWindow!.postMessage("end", "*");
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
