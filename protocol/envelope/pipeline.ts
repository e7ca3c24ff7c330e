/** Keeps several frames in flight and gives their bytes in order, no further ahead than the consumer allows. */
import type { ByteReader } from "./reader.ts";

/** Started work and the chunks that it gives; in an object, as an async generator awaits a bare promise. */
export type Job = { chunks: Promise<Uint8Array<ArrayBuffer>[]> };

export type PipelineOptions = {
  /** Jobs under way at most. */
  depth: number;
  signal?: AbortSignal;
  /** What the consumer gets instead of an error; maps an internal reason to the public one. */
  mapError(reason: unknown): unknown;
};

/**
 * Pulls jobs from `jobs` (each reads from `reader` and starts its cipher calls) and enqueues what they give, in order.
 * The stream closes when the jobs have ended and all have succeeded; any failure, or the signal, makes it err and
 * cancels the source.
 */
export function pipeline(
  jobs: AsyncIterator<Job, void>,
  reader: Pick<ByteReader, "cancel">,
  options: PipelineOptions,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const { depth, signal, mapError } = options;
  const flight: Job["chunks"][] = [];
  let next: Promise<IteratorResult<Job, void>> | undefined;
  let ended = false;
  let stopped = false;

  function stop(reason: unknown): void {
    stopped = true;
    flight.length = 0;
    // Nobody waits for it any more.
    next?.catch(() => {});
    reader.cancel(reason);
  }

  async function step(
    controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>,
  ): Promise<boolean> {
    if (!ended && flight.length < depth) next ??= jobs.next().then(expectFailure);
    const head = flight[0];
    if (!head) {
      if (!next) {
        controller.close();
        return true;
      }
      admit(await next);
      return false;
    }
    // Whichever is first: more input to work on (which keeps the cipher busy), or the oldest job's bytes (which a slow
    // source must not hold back).
    const first = await (next ? Promise.race([next, head]) : head);
    if (!Array.isArray(first)) {
      admit(first);
      return false;
    }
    flight.shift();
    if (stopped) return true;
    let given = false;
    for (const chunk of first) {
      if (chunk.length === 0) continue;
      controller.enqueue(chunk);
      given = true;
    }
    return given;
  }

  function admit(result: IteratorResult<Job, void>): void {
    next = undefined;
    if (result.done) ended = true;
    else flight.push(result.value.chunks);
  }

  let abort: (() => void) | undefined;
  return new ReadableStream(
    {
      start: (controller) => {
        signal?.throwIfAborted();
        abort = () => {
          controller.error(signal?.reason);
          stop(signal?.reason);
        };
        signal?.addEventListener("abort", abort, { once: true });
      },
      pull: async (controller) => {
        try {
          while (!stopped && !(await step(controller)));
          if (ended && flight.length === 0 && abort) signal?.removeEventListener("abort", abort);
        } catch (reason) {
          if (stopped) return;
          stop(reason);
          if (abort) signal?.removeEventListener("abort", abort);
          controller.error(mapError(reason));
        }
      },
      cancel: (reason) => {
        if (abort) signal?.removeEventListener("abort", abort);
        stop(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

/** Its failure is seen when its turn comes, or never where the stream has ended; it must not count as unhandled. */
function expectFailure(result: IteratorResult<Job, void>): IteratorResult<Job, void> {
  if (!result.done) result.value.chunks.catch(() => {});
  return result;
}

/** How many frames make a job and how many jobs are under way: about 1 MiB each, some MiB in all. */
export function flow(frameLength: number): { frames: number; depth: number } {
  const frames = Math.min(64, Math.max(1, Math.floor((1 << 20) / frameLength)));
  return { frames, depth: frameLength <= 1 << 20 ? 3 : 1 };
}
