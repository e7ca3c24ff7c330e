import { KmipDecodeError } from "./errors.ts";
import type { RequestItem, ResponseItem } from "./messages.ts";

/** How long (ms) before an answer is asked for the first time, and at most between two times. */
const FIRST = 10;
const MAX_PAUSE_MS = 1000;

/** Sends one item in a message of its own. */
type Send = (asked: RequestItem) => Promise<ResponseItem>;

/**
 * The answer itself where the server gave it, else the one that it gives later, by Poll (KMIP 2.1 §6.1.38). When the
 * signal aborts, the operation is cancelled (KMIP 2.1 §6.1.5 Cancel) and the signal's reason thrown.
 */
export async function awaited(
  answer: ResponseItem,
  send: Send,
  signal: AbortSignal | undefined,
): Promise<ResponseItem> {
  const { asynchronousCorrelationValue, operation } = answer;
  if (!asynchronousCorrelationValue) return answer;
  const payload = { asynchronousCorrelationValue };
  let latest = answer;
  for (
    let pause = FIRST;
    latest.resultStatus === "OperationPending";
    pause = Math.min(2 * pause, MAX_PAUSE_MS)
  ) {
    await paused(pause, signal);
    if (signal?.aborted) {
      // Whether or not the server hears of it: the caller wants no answer any more.
      await send({ operation: "Cancel", payload }).catch(() => {});
      throw signal.reason;
    }
    latest = await send({ operation: "Poll", payload });
    const { operation: answered = operation, resultStatus } = latest;
    // A Poll that is refused is answered as a Poll.
    if (answered !== operation && resultStatus === "Success")
      throw new KmipDecodeError("answer to another operation");
  }
  return latest;
}

/** Resolves after a time, or when the signal aborts. */
function paused(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", done);
  });
}
