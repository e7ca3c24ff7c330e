/**
 * How much is made under a loaded key before the KMS has to release it again: messages and bytes, beside the age that the microservice itself
 * keeps to (docs/decisions/0098). What is opened and verified is not counted.
 */

import { decodeBase64url } from "#protocol/base64url.ts";
import { digest } from "#protocol/digest.ts";
import { CofferError } from "#protocol/error.ts";
import { parseJson } from "#protocol/json.ts";
import { canonicalJws, type Handed } from "#protocol/keys/index.ts";
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

/** Keys, and receipts, that are remembered at a time; one more is `busy` until the first of them is over. */
const MAX_KEYS = 16_384;
const MAX_RECEIPTS = 65_536;
/** Milliseconds after which no receipt, and no key that was entrusted under it, is good any more. */
const RECEIPT_MS = 8 * 3_600_000;

/**
 * `underWay`: what has not got its key yet, or failed, and streams until their end; `spent`: a limit is reached; `release`: how often the
 * KMS has released it; `edk`: the form in which ring and store have it; `until`: milliseconds since 1970.
 */
type Use = {
  messages: number;
  bytes: number;
  underWay: number;
  streams: number;
  spent: boolean;
  release: number;
  edk?: string;
  until: number;
};

/** As `handler`, but that a key which has reached a limit is dropped, and `key-missing` until it is loaded again. Throws `TypeError` for limits that are none. */
export function withKeyLimits<H extends PortHandler>(
  handler: H,
  limits: KeyLimits,
  { capacity = MAX_KEYS, now = Date.now }: { capacity?: number; now?: () => number } = {},
): H {
  const { messages = Number.POSITIVE_INFINITY, bytes = Number.POSITIVE_INFINITY } = limits;
  for (const limit of Object.values(limits))
    if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1))
      throw new TypeError("a limit of a key is a whole number from 1");
  /** By key and version, whoever brings it in which form. */
  const uses = new Map<string, Use>();
  /** Digests of the receipts that were loaded, and until when they are kept: none begins the count of a key anew twice. */
  const receipts = new Map<string, number>();

  /** Its use, from now on remembered. Throws `busy` where there is no room: no count is forgotten that a key still needs. */
  function useOf(name: string): Use {
    const known = uses.get(name);
    if (known) return known;
    if (uses.size >= capacity)
      for (const [other, { until, underWay }] of uses)
        if (!(now() < until) && underWay === 0) uses.delete(other);
    if (uses.size >= capacity) throw new CofferError("busy");
    const until = now() + RECEIPT_MS;
    const use = { messages: 0, bytes: 0, underWay: 0, streams: 0, spent: false, release: 0, until };
    uses.set(name, use);
    return use;
  }

  function roomForReceipts(): void {
    if (receipts.size < MAX_RECEIPTS) return;
    for (const [receipt, until] of receipts) if (!(now() < until)) receipts.delete(receipt);
    if (receipts.size >= MAX_RECEIPTS) throw new CofferError("busy");
  }

  /** `size`: bytes, as far as they are known before. Throws `key-missing`. */
  async function using<T>(edk: string, size: number, work: (use: Use) => Promise<T>): Promise<T> {
    const name = nameOf(edk);
    const use = useOf(name);
    if (edk.split(".").length === 3) use.edk ??= edk;
    const isBegun = use.messages > 0 || use.bytes > 0;
    if (isBegun && (use.messages + 1 > messages || use.bytes + Math.max(size, 1) > bytes)) {
      use.spent = true;
      // What was let in before still needs it.
      if (use.underWay === 0) await drop(use);
      throw new CofferError("key-missing");
    }
    // Before it works: of many at once none slips through.
    use.messages += 1;
    use.bytes += size;
    use.underWay += 1;
    const { release } = use;
    try {
      return await work(use);
    } catch (error) {
      // Unless it has been released again meanwhile, and counts from there.
      if (use.release === release) {
        use.messages -= 1;
        use.bytes -= size;
      }
      // What was never loaded here is nobody's key.
      if (use.release === 0 && use.messages === 0 && use.underWay === 1) uses.delete(name);
      throw error;
    } finally {
      await leave(use);
    }
  }

  async function leave(use: Use): Promise<void> {
    use.underWay -= 1;
    if (use.spent && use.underWay === 0) await drop(use);
  }

  /** Its length is not known before: where bytes have a limit, one at a time. Throws `busy`. */
  function sealStream(edk: string, work: (use: Use) => Promise<ReadableStream<Bytes>>) {
    return using(edk, 0, async (use) => {
      if (bytes !== Number.POSITIVE_INFINITY && use.streams > 0) throw new CofferError("busy");
      use.streams += 1;
      use.underWay += 1;
      let isOver = false;
      const over = async () => {
        if (isOver) return;
        isOver = true;
        use.streams -= 1;
        await leave(use);
      };
      const ends: Transformer<Bytes, Bytes> & { cancel(): Promise<void> } = { flush: over, cancel: over };
      try {
        const sealed = await work(use);
        return sealed.pipeThrough(new TransformStream(ends));
      } catch (error) {
        await over();
        throw error;
      }
    });
  }

  /** Out of ring and store. One that is brought with each request is in neither. */
  async function drop({ edk }: Use): Promise<void> {
    if (edk !== undefined) await handler.entrust({ edks: [edk] }).catch(() => {});
  }

  const sizeOf = (data: string) => Math.floor((data.length * 3) / 4);
  return {
    ...handler,
    async load(handed) {
      roomForReceipts();
      const handedOver = await Promise.all(keysOf(handed).map(withDigest));
      for (const { name, receipt } of handedOver)
        if (uses.get(name)?.spent && receipts.has(receipt)) throw new CofferError("key-missing");
      const loaded = await handler.load(handed);
      for (const { keyId, keyVersion } of [loaded, ...(loaded.others ?? [])]) {
        const name = `${keyId}.${keyVersion}`;
        const own = handedOver.find((key) => key.name === name);
        const use = useOf(name);
        if (own) use.edk = own.edk;
        // What the instance fetches itself the KMS has released now.
        if (own && receipts.has(own.receipt)) continue;
        const until = now() + RECEIPT_MS;
        if (own) receipts.set(own.receipt, until);
        Object.assign(use, { messages: 0, bytes: 0, spent: false, release: use.release + 1, until });
      }
      return loaded;
    },
    async entrust(asked) {
      for (const edk of asked.edks) {
        const use = uses.get(nameOf(edk));
        if (use) use.edk = edk;
      }
      return handler.entrust(asked);
    },
    async seal(params, input, signal) {
      // Above level `data` the instance takes the account's key by itself: its copies have an age of their own.
      if (params.edk === undefined) return handler.seal(params, input, signal);
      if (input instanceof Blob)
        return using(params.edk, input.size, () => handler.seal(params, input, signal));
      return sealStream(params.edk, (use) => handler.seal(params, input.pipeThrough(counting(use)), signal));
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

/** Keys that were handed over with their receipts; of the other ways the instance asks the KMS itself. */
function keysOf(handed: Handed): { edk: string; receipt: string }[] {
  if (handed.way === "rewrap") return [handed];
  return handed.way === "several" ? handed.keys : [];
}

/** Of either form of the receipt's signature the same. */
async function withDigest({ edk, receipt }: { edk: string; receipt: string }) {
  return { name: nameOf(edk), edk, receipt: await digest(canonicalJws(receipt)) };
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
