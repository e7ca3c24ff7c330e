import type { Refusal, RefusalCode } from "../identity/refusal.ts";
import type { Log } from "../log.ts";

export type TellRefusal = (
  refusal: Refusal,
  where: { transport: "tls" | "https"; from?: string | undefined; identity?: string | undefined },
) => void;

/** Lines for one reason in one period; the rest is counted, and reported when the period has ended. */
const LINES = 5;
const PERIOD = 60_000;

/**
 * Writes a line to the log for each refused connection. Anybody who reaches the port can cause one, so a flood must not
 * fill the disk: few lines for each reason a minute, and the number of the others.
 */
export function refusalLog(log: Log, now: () => Date): { tell: TellRefusal; close: () => void } {
  const counted = new Map<RefusalCode, { since: number; lines: number; untold: number }>();
  const tellUntold = (code: RefusalCode, untold: number) => {
    if (untold > 0) log({ event: "refused-connection", code, more: untold });
  };
  const sweep = (time: number) => {
    for (const [code, { since, untold }] of counted) {
      // A clock that was set back ends a period too.
      if (time - since < PERIOD && time >= since) continue;
      tellUntold(code, untold);
      counted.delete(code);
    }
  };
  const timer = setInterval(() => sweep(now().getTime()), PERIOD);
  timer.unref();
  return {
    tell: ({ code, reason }, { transport, from, identity }) => {
      const time = now().getTime();
      sweep(time);
      const count = counted.get(code) ?? { since: time, lines: 0, untold: 0 };
      counted.set(code, count);
      if (count.lines >= LINES) count.untold++;
      else {
        count.lines++;
        log({ event: "refused-connection", code, reason, transport, from, identity });
      }
    },
    close: () => {
      clearInterval(timer);
      for (const [code, { untold }] of counted) tellUntold(code, untold);
      counted.clear();
    },
  };
}

/** For a message that is longer than is read here. */
export function tooLong(limit: number): Refusal {
  return {
    code: "message-too-long",
    reason: `The message is longer than the ${limit} bytes that are taken: send less at a time.`,
  };
}
