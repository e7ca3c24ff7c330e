import { expect, it } from "vitest";
import { concat, join } from "./bytes.ts";
import { ByteReader } from "./envelope/reader.ts";
import { StreamReceiver } from "./port/stream.ts";
import { Queue } from "./queue.ts";

/** A sender chooses how small its chunks are: a reader does the same work for each of them. */

const MANY = 300_000;

it("takes what was put in, in order, whatever is put before it", () => {
  const queue = new Queue<number>();
  const model: number[] = [];
  for (let i = 0; i < 5000; i++) {
    // A fixed walk that grows, shrinks and empties the queue.
    const step = (i * 7919) % 11;
    if (step < 5) [queue.push(i), model.push(i)];
    else if (step < 6) [queue.unshift(i), model.unshift(i)];
    else if (step < 7 && model.length > 0) [queue.replaceFirst(i), model.splice(0, 1, i)];
    else if (i % 997 === 0) [queue.clear(), model.splice(0)];
    else expect(queue.shift()).toBe(model.shift());
    expect([queue.length, queue.first]).toEqual([model.length, model[0]]);
  }
});

it("moves each item at most a few times, however many wait", () => {
  let moved = 0;
  const slice = Array.prototype.slice;
  const shift = Array.prototype.shift;
  const queue = new Queue<number>();
  try {
    Array.prototype.slice = function (this: unknown[], from?: number, to?: number) {
      const kept = slice.call(this, from, to);
      moved += kept.length;
      return kept;
    };
    Array.prototype.shift = function (this: unknown[]) {
      moved += this.length;
      return shift.call(this);
    };
    for (let i = 0; i < 10_000; i++) queue.push(i);
    while (queue.length > 0) queue.shift();
  } finally {
    Array.prototype.slice = slice;
    Array.prototype.shift = shift;
  }
  expect(moved).toBeLessThan(20_000);
});

it("joins more byte strings than a call takes arguments", () => {
  expect(join(Array.from({ length: MANY }, () => Uint8Array.of(7))).length).toBe(MANY);
  expect(concat(Uint8Array.of(1), Uint8Array.of(), Uint8Array.of(2, 3))).toEqual(Uint8Array.of(1, 2, 3));
});

it("reads a frame out of chunks of one byte", async () => {
  let left = MANY;
  const source = new ReadableStream<Uint8Array>({
    pull: (controller) => (left-- > 0 ? controller.enqueue(Uint8Array.of(left & 0xff)) : controller.close()),
  });
  const reader = new ByteReader(source);
  expect(await reader.fill(MANY)).toBe(MANY);
  const taken = reader.take(MANY);
  expect(taken.every((byte, at) => byte === ((MANY - 1 - at) & 0xff))).toBe(true);
});

it("receives over a port chunks of one byte that have come together", async () => {
  const receiver = new StreamReceiver(
    1,
    () => {},
    () => {},
  );
  for (let i = 0; i < MANY; i++) receiver.chunk(new ArrayBuffer(1));
  receiver.end();
  let length = 0;
  for await (const chunk of receiver.readable) length += chunk.length;
  expect(length).toBe(MANY);
});
