import { expect, it } from "vitest";
import type { Part } from "#protocol/contract/index.ts";
import { sendParts, split } from "./parts.ts";

function streamOf(...lengths: number[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  const waiting = [...lengths];
  return new ReadableStream({
    pull(controller) {
      const length = waiting.shift();
      if (length === undefined) controller.close();
      else controller.enqueue(Uint8Array.from({ length }, () => at++ % 251));
    },
  });
}

const sizesOf = async (lengths: number[], size: number) => {
  const parts: Blob[] = [];
  for await (const part of split(streamOf(...lengths), size)) parts.push(part);
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  expect(bytes).toEqual(Uint8Array.from({ length: bytes.length }, (_, i) => i % 251));
  return parts.map((part) => part.size);
};

it("cuts any chunks into parts of one size but the last", async () => {
  expect(await sizesOf([], 4)).toEqual([]);
  expect(await sizesOf([1], 4)).toEqual([1]);
  expect(await sizesOf([4], 4)).toEqual([4]);
  expect(await sizesOf([0, 3, 0, 1], 4)).toEqual([4]);
  expect(await sizesOf([9], 4)).toEqual([4, 4, 1]);
  expect(await sizesOf([3, 3, 3, 3], 4)).toEqual([4, 4, 4]);
  expect(await sizesOf([1, 1, 1, 1, 1], 2)).toEqual([2, 2, 1]);
});

it("keeps a number of parts under way, and gives them back in order", async () => {
  let running = 0;
  let maximum = 0;
  const sent: number[] = [];
  const { parts, size } = await sendParts(streamOf(10, 10, 10, 5), {
    partSize: 4,
    inFlight: 3,
    onSent: (bytes) => sent.push(bytes),
    send: async (part) => {
      maximum = Math.max(maximum, ++running);
      // Later parts are quicker.
      for (let i = 0; i < 20 - part; i++) await Promise.resolve();
      running--;
      return { part, etag: `e${part}` };
    },
  });
  expect(size).toBe(35);
  expect(maximum).toBe(3);
  expect(parts.map(({ part, etag }) => `${part}${etag}`)).toEqual(parts.map((_, i) => `${i + 1}e${i + 1}`));
  expect(sent.at(-1)).toBe(35);
});

it("stops everything when one part fails, and cancels the stream", async () => {
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => controller.enqueue(new Uint8Array(4)),
    cancel: () => {
      cancelled = true;
    },
  });
  const signals: AbortSignal[] = [];
  const work = sendParts(endless, {
    partSize: 4,
    inFlight: 2,
    send: async (part, _bytes, signal): Promise<Part> => {
      signals.push(signal);
      if (part === 3) throw new Error("lost");
      return { part, etag: "" };
    },
  });
  await expect(work).rejects.toThrow("lost");
  expect(signals.every((signal) => signal.aborted)).toBe(true);
  expect(cancelled).toBe(true);
});

it("ends with the caller's reason when they cancel", async () => {
  const controller = new AbortController();
  const work = sendParts(streamOf(4, 4, 4), {
    partSize: 4,
    inFlight: 1,
    signal: controller.signal,
    send: async (part, _bytes, signal) => {
      if (part === 2) controller.abort();
      signal.throwIfAborted();
      return { part, etag: "" };
    },
  });
  await expect(work).rejects.toMatchObject({ name: "AbortError" });
});
