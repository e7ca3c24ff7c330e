import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { Engine } from "#emulator/hsm/server/engine.ts";
import { ObjectStore } from "#emulator/hsm/store/store.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import {
  decodeItem,
  decodeResponse,
  type Encoding,
  encodeItem,
  encodeRequest,
  type Item,
  KmipDecodeError,
  KmipEncodeError,
  requestFromItem,
  requestToItem,
  responseFromItem,
  responseToItem,
  tagNumber,
} from "#protocol/kmip/index.ts";
import { Random } from "./random.ts";
import { objectRequests } from "./server-objects.ts";

export interface Input {
  bytes: Uint8Array<ArrayBuffer>;
  encoding: Encoding;
}

/** What a target must hold for every input; `run` throws where it does not. */
export interface Target {
  readonly name: string;
  /** Tells in few words what became of the input: inputs with new words are worth keeping. */
  run(input: Input): string | Promise<string>;
  /** Called now and then, to begin with a clean state. */
  reset(): Promise<void>;
  close(): void;
}

/** Longer than any encoding of what was decoded within the bounds. */
const UNBOUNDED = { maximumLength: 1 << 28, maximumItems: 1 << 20, maximumDepth: 64 };
const REQUEST = tagNumber("RequestMessage");
const RESPONSE = tagNumber("ResponseMessage");

/**
 * The codec: whatever comes in is refused with `KmipDecodeError`, or it survives all three encodings unchanged, and so does
 * the typed message that it holds. `decode` is the function under test.
 */
export function codecTarget(decode: typeof decodeItem = decodeItem): Target {
  return {
    name: "codec",
    run({ bytes, encoding }) {
      let item: Item;
      try {
        item = decode(bytes, { encoding });
      } catch (error) {
        if (!(error instanceof KmipDecodeError)) throw error;
        return `${encoding} refused: ${words(error.message)}`;
      }
      if (encoding === "ttlv" && !holdsBigInteger(item) && Buffer.compare(encodeItem(item), bytes) !== 0)
        throw new Error("TTLV was decoded and encoded to other bytes");
      for (const other of ["ttlv", "json", "xml"] as const) {
        const encoded = written(() => encodeItem(item, other));
        if (encoded === undefined) return `${encoding} cannot be ${other}`;
        if (!isDeepStrictEqual(decode(encoded, { ...UNBOUNDED, encoding: other }), item))
          throw new Error(`${other} does not survive`);
      }
      if (item.tag === REQUEST) return typed(item, requestFromItem, requestToItem);
      if (item.tag === RESPONSE) return typed(item, responseFromItem, responseToItem);
      return "no message";
    },
    reset: async () => {},
    close: () => {},
  };
}

function typed<M extends { items: { operation?: unknown }[] }>(
  item: Item,
  read: (item: Item) => M,
  write: (message: M) => Item,
): string {
  let message: M;
  try {
    message = read(item);
  } catch (error) {
    if (!(error instanceof KmipDecodeError)) throw error;
    return `refused: ${words(error.message)}`;
  }
  const rewritten = written(() => write(message));
  if (rewritten === undefined) return "cannot be written in its version";
  const again = read(rewritten);
  const second = written(() => write(again));
  if (second === undefined || !isDeepStrictEqual(second, rewritten))
    throw new Error("the typed message does not survive");
  return `typed: ${message.items.map(({ operation }) => operation).join(" ")}`.slice(0, 80);
}

/** Undefined where the value has no form in that encoding or version, which is a refusal and no fault. */
function written<T>(write: () => T): T | undefined {
  try {
    return write();
  } catch (error) {
    if (error instanceof KmipEncodeError) return undefined;
    throw error;
  }
}

function holdsBigInteger(item: Item): boolean {
  return item.type === "Structure" ? item.value.some(holdsBigInteger) : item.type === "BigInteger";
}

/** Messages without what differs from input to input. */
function words(message: string): string {
  return message.replace(/[0-9a-f]{6}\b|\d+/g, "#").slice(0, 80);
}

const IDENTITIES = [
  "fuzz",
  "fuzz",
  "fuzz",
  "other",
  IDENTITY.kms,
  IDENTITY.ra,
  IDENTITY.iam,
  IDENTITY.officer,
];

/**
 * The server, without its listeners: whatever comes in is answered with a response that can be decoded, and nothing fails
 * inside. `hook` sees each request before the server does.
 */
export async function serverTarget(
  seed: number,
  hook: (bytes: Uint8Array) => void = () => {},
): Promise<Target> {
  // Memory where there is some: what is measured is not the disk.
  const parent = process.platform === "linux" ? "/dev/shm" : tmpdir();
  let dir: string | undefined;
  let store: ObjectStore | undefined;
  let engine: Engine | undefined;
  let failure: string | undefined;
  const choices = new Random(seed);

  const close = () => {
    engine?.close();
    store?.close();
    if (dir) rmSync(dir, { recursive: true, force: true });
    dir = undefined;
    store = undefined;
    engine = undefined;
  };
  const target: Target = {
    name: "server",
    async run({ bytes, encoding }) {
      failure = undefined;
      hook(bytes);
      const origin = { identity: choices.pick(IDENTITIES), transport: "https", encoding } as const;
      const { response: answer, durable } = await engine!.serve(bytes, origin);
      await durable;
      if (failure !== undefined) throw new Error(`the server failed: ${failure}`);
      const { items } = decodeResponse(answer, { ...UNBOUNDED, encoding });
      const told = items.map(({ operation, resultStatus, resultReason, resultMessage }) =>
        [operation, resultStatus, resultReason, words(resultMessage ?? "")].join(" "),
      );
      return told.join("; ").slice(0, 200);
    },
    async reset() {
      close();
      dir = mkdtempSync(join(parent, "coffer-fuzz-"));
      const numbers = new Random(seed);
      const random = (length: number) => numbers.bytes(length);
      store = new ObjectStore(dir, random);
      let now = 1_800_000_000_000;
      engine = new Engine({
        store,
        random,
        now: () => {
          now += 10;
          return new Date(now);
        },
        limit: 1 << 20,
        log: ({ event, error }) => {
          if (event === "failure") failure = String(error);
        },
      });
      const header = {
        protocolVersion: { major: 2, minor: 1 },
        batchErrorContinuationOption: "Continue",
      } as const;
      const request = encodeRequest({ header, items: objectRequests() });
      const made = await engine.serve(request, { identity: "fuzz", transport: "tls", encoding: "ttlv" });
      await made.durable;
    },
    close,
  };
  await target.reset();
  return target;
}
