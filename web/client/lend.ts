/** Lends this page's microservice to the app's own Service Worker, which answers the service contract with it (M15). */

import { begun } from "#protocol/begun.ts";
import { CofferError, codeOf } from "#protocol/error.ts";
import { isLent, type Lent, type LentAnswer, type LentCall } from "#protocol/lent.ts";
import { OPERATIONS } from "#protocol/operations/index.ts";
import type { Microservice } from "./microservice.ts";

/** The part of a message port that is needed. */
export type LentPort = Pick<MessagePort, "postMessage" | "onmessage" | "close">;

type Call = Omit<LentCall, "id" | "method">;
type Handlers = { [M in Lent]: (call: Call) => Promise<unknown> };

/** Answers calls that come over the port, as long as the page lives. What is not lent is `forbidden`. */
export function lend(port: LentPort, microservice: Pick<Microservice, "use">): void {
  const use = () => microservice.use();
  // The microservice's port checks what is asked; params stand as its methods take them.
  const forward =
    (method: "load" | "entrust" | "lock" | "operate") =>
    async ({ params }: Call): Promise<unknown> => {
      const { port: lent } = await use();
      return (lent[method] as (...given: unknown[]) => Promise<unknown>)(...params);
    };
  const stream =
    (method: "seal" | "open") =>
    async ({ params: [asked], input = new Blob().stream() }: Call): Promise<unknown> => {
      const { port: lent } = await use();
      const sealing = lent[method] as (...given: unknown[]) => ReadableStream<Uint8Array>;
      return begun(sealing(asked, input, { give: true }));
    };
  const handlers: Handlers = {
    // The page has greeted and proved itself; a second greeting would take that back.
    hello: async () => {
      const { measurement, instance } = await use();
      return { measurement, instance };
    },
    load: forward("load"),
    entrust: forward("entrust"),
    lock: forward("lock"),
    operate: async (call) => {
      const [operation] = call.params;
      // By the name of another call of the port it would be one that is not lent.
      if (typeof operation !== "string" || !Object.hasOwn(OPERATIONS, operation))
        throw new CofferError("forbidden");
      return forward("operate")(call);
    },
    seal: stream("seal"),
    open: stream("open"),
  };
  const answer = (message: LentAnswer, transfer: Transferable[] = []) => port.postMessage(message, transfer);
  port.onmessage = async ({ data }: MessageEvent<LentCall>) => {
    const { id, method, params, input } = data;
    if (!isLent(method) || !Array.isArray(params)) return answer({ id, code: "forbidden" });
    try {
      const value = await handlers[method]({ params, ...(input && { input }) });
      if (value instanceof ReadableStream) answer({ id, stream: value }, [value]);
      else answer({ id, value });
    } catch (error) {
      answer({ id, code: codeOf(error) });
    }
  };
}
