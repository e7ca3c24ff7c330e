/** The benchmark page: orders from outside, answers in milliseconds. */

import { createPortClient } from "#protocol/port/index.ts";
import { CONTEXT, discard, type Times, timed } from "./measure.ts";

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

/** What the app's side gets: a File goes in, ciphertext comes out here, goes back in and comes out as plaintext. */
async function port(): Promise<Times> {
  const { port1, port2 } = new MessageChannel();
  await ask({ what: "port" }, [port2]);
  const microservice = createPortClient(port1);
  await microservice.hello("CN=bench");
  const file = chosen();
  const parts: Blob[] = [];
  const seal = await timed(async () => {
    for await (const chunk of microservice.seal({ edk: "e.d.k", context: CONTEXT }, file))
      parts.push(new Blob([chunk]));
  });
  const ciphertext = new Blob(parts);
  const open = await timed(() =>
    discard(microservice.open({ context: CONTEXT }, ciphertext.stream(), { give: true })),
  );
  if (open.value !== file.size) throw new Error("what was opened has another length");
  microservice.close();
  return { seal: seal.ms, open: open.ms };
}

Object.assign(globalThis, {
  measure: {
    memory: (size: number) => ask({ what: "memory", size }),
    file: () => ask({ what: "file", file: chosen() }),
    port,
  },
});
