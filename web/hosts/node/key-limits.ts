/**
 * How much is made under a loaded key before the KMS has to release it again: messages and bytes, beside the age that the microservice itself
 * keeps to (docs/decisions/0098). What is opened and verified is not counted.
 */

import { decodeBase64url } from "#protocol/base64url.ts";
import { CofferError } from "#protocol/error.ts";
import { parseJson } from "#protocol/json.ts";
import type { PortHandler } from "#protocol/port/index.ts";
import { fits, open, text, whole } from "#protocol/shape.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Each from 1; what is not said has no limit. */
export interface KeyLimits {
  /** Messages that are sealed or encrypted, MACs and signatures. */
  messages?: number | undefined;
  /** Bytes of what is sealed, encrypted, authenticated or signed. One message alone may be longer: a key that was just released takes it. */
  bytes?: number | undefined;
}

/** Keys whose use is counted at a time; one more has the oldest one released again before its next use. */
const MAX_KEYS = 4096;

/** `underWay`: what has not got its key yet, or failed; `spent`: a limit is reached. */
type Use = { messages: number; bytes: number; underWay: number; spent: boolean; edk: string };

/** As `handler`, but that a key which has reached a limit is dropped, and `key-missing` until it is loaded again. Throws `TypeError` for limits that are none. */
export function withKeyLimits<H extends PortHandler>(
  handler: H,
  limits: KeyLimits,
  capacity: number = MAX_KEYS,
): H {
  const { messages = Number.POSITIVE_INFINITY, bytes = Number.POSITIVE_INFINITY } = limits;
  for (const limit of Object.values(limits))
    if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1))
      throw new TypeError("a limit of a key is a whole number from 1");
  /** By key and version, whoever brings it in which form; in the order of their first use. */
  const uses = new Map<string, Use>();

  /** `size`: bytes, as far as they are known before. Throws `key-missing`. */
  async function using<T>(edk: string, size: number, work: (use: Use) => Promise<T>): Promise<T> {
    const name = nameOf(edk);
    const use = uses.get(name) ?? { messages: 0, bytes: 0, underWay: 0, spent: false, edk };
    if (use.messages > 0 && (use.messages + 1 > messages || use.bytes + size > bytes)) {
      use.spent = true;
      // What was let in before still needs it.
      if (use.underWay === 0) await drop(use.edk);
      throw new CofferError("key-missing");
    }
    // Before it works: of many at once none slips through.
    use.messages += 1;
    use.bytes += size;
    use.underWay += 1;
    uses.set(name, use);
    const isCounted = () => uses.get(name) === use;
    try {
      return await work(use);
    } catch (error) {
      use.messages -= 1;
      use.bytes -= size;
      if (use.messages === 0 && isCounted()) uses.delete(name);
      throw error;
    } finally {
      use.underWay -= 1;
      // Unless it has been loaded again meanwhile.
      if (use.spent && use.underWay === 0 && isCounted()) await drop(use.edk);
      await makeRoom();
    }
  }

  /** Out of ring and store. One that is brought with each request is in neither. */
  async function drop(edk: string): Promise<void> {
    await handler.entrust({ edks: [edk] }).catch(() => {});
  }

  async function makeRoom(): Promise<void> {
    for (const [name, { edk }] of uses) {
      if (uses.size <= capacity) return;
      uses.delete(name);
      await drop(edk);
    }
  }

  const sizeOf = (data: string) => Math.floor((data.length * 3) / 4);
  return {
    ...handler,
    async load(handed) {
      const loaded = await handler.load(handed);
      for (const { keyId, keyVersion } of [loaded, ...(loaded.others ?? [])])
        uses.delete(`${keyId}.${keyVersion}`);
      return loaded;
    },
    async seal(params, input, signal) {
      // Above level `data` the instance takes the account's key by itself: its copies have an age of their own.
      if (params.edk === undefined) return handler.seal(params, input, signal);
      if (input instanceof Blob)
        return using(params.edk, input.size, () => handler.seal(params, input, signal));
      return using(params.edk, 0, (use) => handler.seal(params, input.pipeThrough(counting(use)), signal));
    },
    encrypt: (asked) => using(asked.key, sizeOf(asked.data), () => handler.encrypt(asked)),
    mac: (asked) => using(asked.key, sizeOf(asked.data), () => handler.mac(asked)),
    sign: (asked) => using(asked.key, sizeOf(asked.data), () => handler.sign(asked)),
  };
}

function counting(use: Use): TransformStream<Bytes, Bytes> {
  return new TransformStream({
    transform(chunk, controller) {
      use.bytes += chunk.length;
      controller.enqueue(chunk);
    },
  });
}

const inEdk = open({ keyId: text(1, 64), keyVersion: whole(1) });
const inToken = open({ kid: text(1, 96) });

/** `<key id>.<version>`, of an EDK or of a key that was entrusted (JWE). Nothing is verified here: the microservice does, and what it refuses does not count. */
function nameOf(edk: string): string {
  const parts = edk.split(".");
  const said = readPart(parts[parts.length === 5 ? 0 : 1] ?? "");
  if (fits(inEdk, said)) return `${said.keyId}.${said.keyVersion}`;
  return fits(inToken, said) ? said.kid : edk;
}

function readPart(part: string): unknown {
  try {
    return parseJson(new TextDecoder().decode(decodeBase64url(part)));
  } catch {
    return undefined;
  }
}
