/** The benchmark page: orders from outside, answers in milliseconds. */

import { createPortClient, type PortClient } from "#protocol/port/index.ts";
import { CONTEXT, discard, type Times, timed } from "./measure.ts";
import { onlyRead, slices, toOpfs, toServer } from "./pipelines.ts";

type Bytes = Uint8Array<ArrayBuffer>;

function ask(order: object, transfer: Transferable[] = []): Promise<Times> {
  const worker = new Worker("/worker.js", { type: "module" });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      resolve(data as Times);
      if (transfer.length === 0) worker.terminate();
    };
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(order, transfer);
  });
}

const chosen = () => document.querySelector("input")!.files![0]!;

/** A microservice's end in a Worker, and the app's here. */
async function connect(): Promise<PortClient> {
  const { port1, port2 } = new MessageChannel();
  await ask({ what: "port" }, [port2]);
  const microservice = createPortClient(port1);
  await microservice.hello("CN=bench");
  return microservice;
}

const EDK = { edk: "e.d.k", context: CONTEXT };

/** What the app's side gets: a File goes in, ciphertext comes out here and is let go. */
async function port(): Promise<Times> {
  const microservice = await connect();
  const file = chosen();
  const seal = await timed(() => discard(microservice.seal(EDK, file) as ReadableStream<Bytes>));
  microservice.close();
  return { seal: seal.ms, read: await onlyRead(file) };
}

/** Ciphertext, which is made first, goes in, and plaintext comes out. */
async function portOpen(): Promise<Times> {
  const microservice = await connect();
  const file = chosen();
  const parts: Blob[] = [];
  for await (const chunk of microservice.seal(EDK, file)) parts.push(new Blob([chunk]));
  const ciphertext = new Blob(parts);
  const read = await onlyRead(ciphertext);
  const open = await timed(() => discard(microservice.open({ context: CONTEXT }, ciphertext)));
  if (open.value !== file.size) throw new Error("what was opened has another length");
  microservice.close();
  return { open: open.ms, read };
}

/** The file sealed over the port and written, and the same file written as it is, by the same code. */
async function written(write: (stream: ReadableStream<Bytes>) => Promise<void>): Promise<Times> {
  const microservice = await connect();
  const file = chosen();
  const plain = await timed(() => write(slices(file)));
  const seal = await timed(() => write(microservice.seal(EDK, file) as ReadableStream<Bytes>));
  microservice.close();
  return { seal: seal.ms, plain: plain.ms };
}

Object.assign(globalThis, {
  measure: {
    memory: (size: number) => ask({ what: "memory", size }),
    file: () => ask({ what: "file", file: chosen() }),
    port,
    portOpen,
    opfs: () => written(toOpfs),
    server: () => written(toServer),
  },
});
