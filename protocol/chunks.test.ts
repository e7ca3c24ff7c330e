import { expect, it } from "vitest";
import { chunksOf } from "./chunks.ts";

/** A stream of these chunks, as WebKit has it: without an async iterator. */
function streamOf(chunks: string[], { fails }: { fails?: Error } = {}) {
  const seen = { cancelled: false };
  const left = [...chunks];
  const stream = new ReadableStream<string>(
    {
      pull(controller) {
        const chunk = left.shift();
        if (chunk !== undefined) controller.enqueue(chunk);
        else if (fails) controller.error(fails);
        else controller.close();
      },
      cancel() {
        seen.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  Object.defineProperty(stream, Symbol.asyncIterator, { value: undefined });
  return { stream, seen };
}

const listed = async (stream: ReadableStream<string>) => {
  const all: string[] = [];
  for await (const chunk of chunksOf(stream)) all.push(chunk);
  return all;
};

it("gives every chunk in order, and leaves the stream unlocked", async () => {
  for (const chunks of [[], ["a"], ["a", "", "c"]]) {
    const { stream, seen } = streamOf(chunks);
    expect(await listed(stream)).toEqual(chunks);
    expect(stream.locked).toBe(false);
    expect(seen.cancelled).toBe(false);
  }
});

it("cancels the stream when the loop is left early or throws", async () => {
  const left = streamOf(["a", "b"]);
  for await (const _ of chunksOf(left.stream)) break;
  expect(left.seen.cancelled).toBe(true);
  const thrown = streamOf(["a", "b"]);
  const work = async () => {
    for await (const chunk of chunksOf(thrown.stream)) throw new Error(chunk);
  };
  await expect(work()).rejects.toThrow("a");
  expect(thrown.seen.cancelled).toBe(true);
  expect(thrown.stream.locked).toBe(false);
});

it("fails as the stream fails", async () => {
  const fails = new Error("cut off");
  await expect(listed(streamOf(["a"], { fails }).stream)).rejects.toBe(fails);
});
