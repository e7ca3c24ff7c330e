/** The custodian's end of the port. */

import type { Enrol } from "../enrolment.ts";
import { CofferError, type ErrorCode } from "../error.ts";
import type { Handed } from "../keys/loading/index.ts";
import { type Answer, type CryptoOperation, OPERATIONS, type Question } from "../operations/index.ts";
import { type Call, checkMessage, checkResult, type Message } from "./messages.ts";
import {
  type EncryptionContext,
  type HelloResult,
  type InspectResult,
  type InstanceDescription,
  type KeyVersion,
  type LoadResult,
  type Params,
  PORT_VERSION,
  type PortOperation,
  type Result,
  type Source,
} from "./operations.ts";
import { StreamReceiver, StreamSender } from "./stream.ts";

export type StreamOptions = {
  signal?: AbortSignal | undefined;
  /** The source's buffers are nobody else's: they are transferred instead of copied where they are small enough. */
  give?: boolean;
};

/** A microservice behind a port. Rejections are `CofferError`s with the microservice's code. */
export type PortClient = {
  /** First call on a port. `custodian` is the Distinguished Name that the instance is, or will be, bound to. */
  hello(custodian: string): Promise<HelloResult>;
  enrol(handed: Enrol): Promise<InstanceDescription>;
  /** Where hello says `locked`: asks the person for the passkey. Whether the instance can be used now; greet again. */
  unlock(): Promise<boolean>;
  /** Proves who the custodian is, and answers what proves the instance (M14). Where hello gave a challenge, before any key is used. */
  authenticate(proof: Params<"authenticate">): Promise<Result<"authenticate">>;
  /** The instance's wrapping certificate, DER, base64url: what the KMS rewraps a key to (M8). */
  certificate(): Promise<string>;
  /** A document of the instance's platform that names the key of that certificate (M19); undefined where it makes none. */
  attestation(): Promise<string | undefined>;
  load(key: Handed): Promise<LoadResult>;
  /** Takes loaded keys out of the microservice, encrypted under its local master key: one for each EDK, in their order (M10). */
  entrust(edks: string[]): Promise<string[]>;
  /**
   * Deletes the instances of this custodian's origin: keys, certificates, and every key that was wrapped to them. Needs no
   * hello: it works when the session is over.
   */
  forget(): Promise<void>;
  /** Whether the key ring holds the data key of this EDK. */
  has(edk: string): Promise<boolean>;
  /** Has it drop the keys that it has decrypted, as when the user turns away. */
  lock(): Promise<void>;
  /** Has it fetch, still encrypted, what it will need of this account. At level `master`; else it does nothing. */
  prefetch(account: string): Promise<void>;
  /** Has it make the next version of the account's data key. At level `master`; else `key-missing`. */
  renew(account: string, key?: "account"): Promise<LoadResult>;
  /** Another symmetric app-specific key in the place of the instance's, which ends at once (W12); its id. Error: `key-missing`. */
  replaceAppKey(): Promise<{ id: string }>;
  /** What it holds, for how long still, and what it has asked the edge for itself since this was asked last. */
  standing(): Promise<Result<"standing">>;
  /** Reads the header at the start of `header` (at most 64 KiB are looked at). Not authenticated yet. */
  inspect(header: Uint8Array): Promise<InspectResult>;
  /** The contexts of messages that were sealed with `keep` and can be gone on with. */
  unfinished(): Promise<EncryptionContext[]>;
  /** Has it forget such a message; the next one of this context is a new one. */
  discard(context: EncryptionContext): Promise<void>;
  /**
   * Ciphertext of `source` under a loaded data key; without `edk` under the account's current one, which an instance at level
   * `master` finds itself. The stream errs rather than ends when anything fails. With `keep` the same call, after a reload
   * too, gives the same bytes again, or errs with `source-changed` before any that would be others.
   */
  seal(
    params: { edk?: string | undefined; context: EncryptionContext; keep?: boolean },
    source: Source,
    options?: StreamOptions,
  ): ReadableStream<Uint8Array<ArrayBuffer>>;
  /**
   * Plaintext of `source`. It may stream frames early; only a stream that ends well was complete. With `excerpt`, the part
   * that it says, of a `source` that was cut out for it (`excerptOf`): genuine, and complete as a part.
   */
  open(
    params: Omit<Params<"open">, "input">,
    source: Source,
    options?: StreamOptions,
  ): ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Plaintexts of short messages in their order, null for one that does not open: `MAX_SHORT_MESSAGES` at most, whose keys are loaded. */
  openAll(messages: { context: EncryptionContext; message: Uint8Array }[]): Promise<(Uint8Array | null)[]>;
  /** How far the version index of an account is known; with `rows`, and at last the signed head, what has changed since. */
  versions(page: Params<"versions">): Promise<Result<"versions">>;
  /** Which documents are not served as that index says. */
  compare(served: Params<"compare">): Promise<Result<"compare">>;
  /** One operation in one piece (M17), with a key that is loaded. `forbidden` for any other call of the port. */
  operate<O extends CryptoOperation>(operation: O, asked: Question<O>): Promise<Answer<O>>;
  /** How many calls and streams have not ended yet. */
  readonly underWay: number;
  /** Ends all calls with `port-closed` and closes the port. */
  close(): void;
};

/** A call that has ended: when it began (milliseconds since 1970), how long it took, and with which code where it failed. */
export type PortCall = {
  what: PortOperation;
  at: number;
  ms: number;
  code?: ErrorCode;
  /** Keys that it has brought in. */
  loaded?: KeyVersion[];
};

type Pending = {
  op: PortOperation;
  at: number;
  settle(value: unknown): void;
  fail(reason: unknown): void;
  sender?: StreamSender;
  receiver?: StreamReceiver;
};

/**
 * Speaks to a microservice over `port` (a browser's or Node's MessagePort), which must not be used otherwise. `watch` is told of each call
 * that has ended.
 *
 * @example
 * const microservice = createPortClient(port);
 * const { instance } = await microservice.hello("CN=Coffer page");
 * const ciphertext = microservice.seal({ edk, context }, file);
 */
export function createPortClient(port: MessagePort, watch?: (call: PortCall) => void): PortClient {
  const pending = new Map<number, Pending>();
  let last = 0;
  let closed: CofferError | undefined;

  function post(message: Message, transfer: ArrayBuffer[] = []): void {
    if (closed) return;
    port.postMessage(checkMessage(message), transfer);
  }

  function close(code: ErrorCode): void {
    if (closed) return;
    closed = new CofferError(code);
    port.close();
    const calls = [...pending.values()];
    pending.clear();
    for (const call of calls) call.fail(closed);
    // Who is told of the first finds all of them ended.
    for (const call of calls) ended(call, { code });
  }

  function ended({ op: what, at }: Pending, more: Pick<PortCall, "code" | "loaded"> = {}): void {
    // The clock may have been set back meanwhile.
    watch?.({ what, at, ms: Math.max(0, Date.now() - at), ...more });
  }

  function receive(data: unknown): void {
    const message = checkMessage(data);
    const call = pending.get(message.id);
    // Messages of a call that was given up may still be on their way.
    if (!call) return;
    switch (message.type) {
      case "credit":
        if (!call.sender) throw new CofferError("port-violation");
        call.sender.grant(message.bytes);
        return;
      case "chunk":
        if (!call.receiver) throw new CofferError("port-violation");
        call.receiver.chunk(message.bytes);
        return;
      case "result":
        if (call.receiver) throw new CofferError("port-violation");
        call.settle(checkResult(call.op, message.value));
        ended(call, call.op === "load" ? { loaded: loadedOf(message.value as LoadResult) } : {});
        break;
      case "end":
        if (!call.receiver) throw new CofferError("port-violation");
        call.settle(undefined);
        ended(call);
        break;
      case "error":
        call.fail(new CofferError(message.code));
        ended(call, { code: message.code });
        break;
      default:
        throw new CofferError("port-violation");
    }
    pending.delete(message.id);
  }

  port.onmessage = (event) => {
    try {
      receive(event.data);
    } catch {
      close("port-violation");
    }
  };
  port.onmessageerror = () => close("port-violation");

  function call<O extends PortOperation>(op: O, params: Params<O>): Promise<Result<O>> {
    return new Promise((resolve, reject) => {
      if (closed) throw closed;
      const id = ++last;
      post({ v: 1, type: "call", id, op, params });
      pending.set(id, { op, at: Date.now(), settle: (value) => resolve(value as Result<O>), fail: reject });
    });
  }

  function stream(
    op: "seal" | "open",
    params: Params<"seal"> | Params<"open">,
    source: Source,
    { signal, give = false }: StreamOptions = {},
  ): ReadableStream<Uint8Array<ArrayBuffer>> {
    if (closed) throw closed;
    signal?.throwIfAborted();
    const id = ++last;
    const message: Call = { v: 1, type: "call", id, op, params };
    if (source instanceof Blob) message.params = { ...params, input: source };
    post(message);

    const sender = new StreamSender(id, post);
    const giveUp = (reason: unknown) => {
      const call = pending.get(id);
      if (!call) return;
      pending.delete(id);
      sender.fail(reason);
      receiver.fail(reason);
      signal?.removeEventListener("abort", onAbort);
      post({ v: 1, type: "cancel", id });
      ended(call, { code: reason instanceof CofferError ? reason.code : "cancelled" });
    };
    const onAbort = () => giveUp(signal?.reason);
    signal?.addEventListener("abort", onAbort);
    const receiver = new StreamReceiver(id, post, giveUp);
    const done = (reason: unknown) => {
      signal?.removeEventListener("abort", onAbort);
      sender.fail(reason);
    };
    pending.set(id, {
      op,
      at: Date.now(),
      sender,
      receiver,
      settle: () => {
        done(new CofferError("port-closed"));
        receiver.end();
      },
      fail: (reason) => {
        done(reason);
        receiver.fail(reason);
      },
    });
    if (!(source instanceof Blob)) pump(source, sender, give).catch(giveUp);
    return receiver.readable;
  }

  return {
    hello: (custodian) => call("hello", { versions: [PORT_VERSION], custodian }),
    enrol: (handed) => call("enrol", handed),
    unlock: async () => (await call("unlock", {})).unlocked,
    authenticate: (proof) => call("authenticate", proof),
    certificate: async () => (await call("certificate", {})).certificate,
    attestation: async () => (await call("certificate", { attest: true })).attestation,
    load: (key) => call("load", key),
    entrust: async (edks) => (await call("entrust", { edks })).keys,
    forget: async () => {
      await call("forget", {});
    },
    has: async (edk) => (await call("has", { edk })).loaded,
    lock: async () => {
      await call("lock", {});
    },
    prefetch: async (account) => {
      await call("prefetch", { account });
    },
    renew: (account, key) => call("renew", key === undefined ? { account } : { account, key }),
    async openAll(messages) {
      const short = messages.map(({ context, message }) => ({ context, message: copyOf(message) }));
      const { plain } = await call("openAll", { messages: short });
      return plain.map((bytes) => bytes && new Uint8Array(bytes));
    },
    standing: () => call("standing", {}),
    versions: (page) => call("versions", page),
    compare: (served) => call("compare", served),
    replaceAppKey: () => call("replaceAppKey", {}),
    inspect: (header) => call("inspect", { header: copyOf(header.subarray(0, 65536)) }),
    unfinished: async () => (await call("unfinished", {})).contexts,
    discard: async (context) => {
      await call("discard", { context });
    },
    seal: (params, source, options) => stream("seal", params, source, options),
    open: (params, source, options) => stream("open", params, source, options),
    operate: async (operation, asked) => {
      if (!Object.hasOwn(OPERATIONS, operation)) throw new CofferError("forbidden");
      return call(operation, asked) as Promise<never>;
    },
    get underWay() {
      return pending.size;
    },
    close: () => close("port-closed"),
  };
}

function loadedOf({ others = [], ...first }: LoadResult): KeyVersion[] {
  return [first, ...others];
}

/** A buffer of these bytes alone. The slice of a Node Buffer would be a view of what others have in the same buffer. */
function copyOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

/** Sends a source in chunks. Unless it gives them away, bytes are copied: it may go on using its buffers. */
async function pump(
  source: Uint8Array | ReadableStream<Uint8Array>,
  sender: StreamSender,
  give: boolean,
): Promise<void> {
  if (source instanceof Uint8Array) {
    await sender.write(source, give);
    return sender.end();
  }
  const reader = source.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      if (!(read.value instanceof Uint8Array))
        throw new TypeError("a source stream must give Uint8Array chunks");
      await sender.write(read.value, give);
    }
    sender.end();
  } catch (error) {
    await reader.cancel(error).catch(() => {});
    throw error;
  }
}
