/** The microservice's end of the port. */
import { CofferError, codeOf, type ErrorCode } from "../error.ts";
import type { CryptoOperations } from "../operations/index.ts";
import { CALLS, type Call, checkMessage, checkResult, type Message } from "./messages.ts";
import type { HelloParams, HelloResult, Params, PortOperation, Result } from "./operations.ts";
import { PORT_OPERATIONS, PORT_VERSION } from "./operations.ts";
import { StreamReceiver, StreamSender } from "./stream.ts";

type Input = Blob | ReadableStream<Uint8Array<ArrayBuffer>>;
type Output = ReadableStream<Uint8Array<ArrayBuffer>>;

/**
 * What answers the calls. Whatever is thrown reaches the caller as its `CofferError` code alone, anything else as
 * `internal`. Streams returned give chunks whose buffers nobody else uses: they are transferred.
 */
export type PortHandler = CryptoOperations & {
  hello(params: HelloParams): Promise<HelloResult>;
  enrol(params: Params<"enrol">): Promise<Result<"enrol">>;
  unlock(params: Params<"unlock">): Promise<Result<"unlock">>;
  authenticate(params: Params<"authenticate">): Promise<Result<"authenticate">>;
  certificate(params: Params<"certificate">): Promise<Result<"certificate">>;
  load(params: Params<"load">): Promise<Result<"load">>;
  entrust(params: Params<"entrust">): Promise<Result<"entrust">>;
  forget(params: Params<"forget">): Promise<Result<"forget">>;
  has(params: Params<"has">): Promise<Result<"has">>;
  lock(params: Params<"lock">): Promise<Result<"lock">>;
  prefetch(params: Params<"prefetch">): Promise<Result<"prefetch">>;
  renew(params: Params<"renew">): Promise<Result<"renew">>;
  replaceAppKey(params: Params<"replaceAppKey">): Promise<Result<"replaceAppKey">>;
  inspect(params: Params<"inspect">): Promise<Result<"inspect">>;
  standing(params: Params<"standing">): Promise<Result<"standing">>;
  unfinished(params: Params<"unfinished">): Promise<Result<"unfinished">>;
  discard(params: Params<"discard">): Promise<Result<"discard">>;
  seal(params: Params<"seal">, input: Input, signal: AbortSignal): Promise<Output>;
  open(params: Params<"open">, input: Input, signal: AbortSignal): Promise<Output>;
  openAll(params: Params<"openAll">): Promise<Result<"openAll">>;
  versions(params: Params<"versions">): Promise<Result<"versions">>;
  compare(params: Params<"compare">): Promise<Result<"compare">>;
};

/** Where there can be no microservice: every call says why. */
export function refuseAll(code: ErrorCode): PortHandler {
  const refuse = (): Promise<never> => Promise.reject(new CofferError(code));
  const names = Object.keys(PORT_OPERATIONS) as PortOperation[];
  return Object.fromEntries(names.map((name) => [name, refuse])) as Record<PortOperation, typeof refuse>;
}

export type ServeOptions = {
  /** Called with an error that is no `CofferError`, for the host's own console; never sent to the caller. */
  onUnexpected?(error: unknown): void;
};

type Live = { abort: AbortController; sender?: StreamSender; receiver?: StreamReceiver };

/**
 * Serves calls on `port`. The first call must be a hello that lists a version spoken here, or a forget. A message of another shape
 * closes the port. Returns a function that closes it.
 */
export function servePort(port: MessagePort, handler: PortHandler, options: ServeOptions = {}): () => void {
  const live = new Map<number, Live>();
  let last = 0;
  let greeted = false;
  let closed = false;

  function post(message: Message, transfer: ArrayBuffer[] = []): void {
    if (!closed) port.postMessage(checkMessage(message), transfer);
  }

  function close(): void {
    if (closed) return;
    closed = true;
    port.close();
    for (const call of live.values()) stop(call, new CofferError("port-closed"));
    live.clear();
  }

  function stop(call: Live, reason: unknown): void {
    call.abort.abort(reason);
    call.sender?.fail(reason);
    call.receiver?.fail(reason);
  }

  async function answer(
    id: number,
    op: Exclude<PortOperation, "seal" | "open">,
    params: unknown,
  ): Promise<void> {
    const method = handler[op] as (params: unknown) => Promise<unknown>;
    const value = checkResult(op, await method.call(handler, params));
    if (op === "hello") greeted = true;
    post({ v: 1, type: "result", id, value });
  }

  async function stream(call: Call, own: Live): Promise<void> {
    const { id } = call;
    const params = call.params as Params<"seal">;
    const { signal } = own.abort;
    const sender = new StreamSender(id, post);
    own.sender = sender;
    let input: Input | undefined = params.input;
    if (!input) {
      own.receiver = new StreamReceiver(id, post, () => {});
      input = own.receiver.readable;
    }
    const output = await (call.op === "seal"
      ? handler.seal(params, input, signal)
      : handler.open(params, input, signal));
    const reader = output.getReader();
    try {
      for (let read = await reader.read(); !read.done; read = await reader.read()) {
        await sender.write(read.value, true);
      }
    } catch (error) {
      await reader.cancel(error).catch(() => {});
      throw error;
    }
    sender.end();
  }

  async function serve(call: Call): Promise<void> {
    const own: Live = { abort: new AbortController() };
    live.set(call.id, own);
    try {
      // To delete keys nobody has to be anybody: a sign-out must get through when there is no session left for a hello.
      if (!greeted && call.op !== "hello" && call.op !== "forget") throw new CofferError("hello-required");
      if (live.size > CALLS) throw new CofferError("busy");
      if (call.op === "hello" && !(call.params as HelloParams).versions.includes(PORT_VERSION)) {
        throw new CofferError("version-unsupported");
      }
      if (call.op === "seal" || call.op === "open") await stream(call, own);
      else await answer(call.id, call.op, call.params);
    } catch (error) {
      if (live.get(call.id) === own) {
        if (!(error instanceof CofferError)) options.onUnexpected?.(error);
        post({ v: 1, type: "error", id: call.id, code: codeOf(error) });
      }
    } finally {
      if (live.get(call.id) === own) live.delete(call.id);
    }
  }

  function receive(data: unknown): void {
    const message = checkMessage(data);
    if (message.type === "call") {
      if (message.id <= last) throw new CofferError("port-violation");
      last = message.id;
      void serve(message);
      return;
    }
    // Messages of a call that has ended may still be on their way.
    const call = live.get(message.id);
    if (!call) return;
    if (message.type === "chunk" && call.receiver) call.receiver.chunk(message.bytes);
    else if (message.type === "end" && call.receiver) call.receiver.end();
    else if (message.type === "credit" && call.sender) call.sender.grant(message.bytes);
    else if (message.type === "cancel") {
      live.delete(message.id);
      stop(call, new CofferError("cancelled"));
    } else throw new CofferError("port-violation");
  }

  port.onmessage = (event) => {
    try {
      receive(event.data);
    } catch {
      close();
    }
  };
  port.onmessageerror = close;
  return close;
}
