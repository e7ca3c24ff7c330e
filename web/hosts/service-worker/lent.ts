/** The Service Worker's end of a port that a page lent it: the microservice behind it, as REST needs it. */

import { CofferError } from "#protocol/error.ts";
import type { Lent, LentAnswer, LentCall } from "#protocol/lent.ts";
import type { Serviced } from "../service/index.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Waiting = { resolve(value: unknown): void; reject(error: unknown): void };

/** `close` ends what is under way with `no-microservice`. */
export function lentPort(port: MessagePort): Serviced["port"] & { close(): void } {
  const waiting = new Map<number, Waiting>();
  let last = 0;
  let closed = false;
  port.onmessage = ({ data }: MessageEvent<LentAnswer>) => {
    const call = waiting.get(data.id);
    waiting.delete(data.id);
    if ("code" in data) call?.reject(new CofferError(data.code));
    else call?.resolve("stream" in data ? data.stream : data.value);
  };
  const ask = <T>(method: Lent, params: unknown[] = [], input?: ReadableStream): Promise<T> =>
    new Promise((resolve, reject) => {
      if (closed) return reject(new CofferError("no-microservice"));
      const id = ++last;
      waiting.set(id, { resolve: resolve as Waiting["resolve"], reject });
      const call: LentCall = { id, method, params, ...(input && { input }) };
      port.postMessage(call, input ? [input] : []);
    });
  return {
    hello: () => ask("hello"),
    enrol: () => Promise.reject(new CofferError("forbidden")),
    load: (key) => ask("load", [key]),
    entrust: (edks) => ask("entrust", [edks]),
    lock: () => ask("lock"),
    operate: (...asked) => ask("operate", asked),
    seal: (params, source) => later(ask("seal", [params], streamOf(source))),
    open: (params, source) => later(ask("open", [params], streamOf(source))),
    close() {
      closed = true;
      port.close();
      for (const { reject } of waiting.values()) reject(new CofferError("no-microservice"));
      waiting.clear();
    },
  };
}

function streamOf(source: unknown): ReadableStream {
  if (source instanceof ReadableStream) return source;
  throw new TypeError("a request's body is a stream");
}

/** A stream that is not there yet. */
function later(coming: Promise<ReadableStream<Bytes>>): ReadableStream<Bytes> {
  let reader: ReadableStreamDefaultReader<Bytes> | undefined;
  return new ReadableStream<Bytes>(
    {
      async pull(controller) {
        reader ??= (await coming).getReader();
        const read = await reader.read();
        if (read.done) controller.close();
        else controller.enqueue(read.value);
      },
      cancel: async (reason) => (reader ? reader.cancel(reason) : (await coming).cancel(reason)),
    },
    { highWaterMark: 0 },
  );
}
