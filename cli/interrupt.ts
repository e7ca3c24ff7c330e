import { jsonLine } from "./json-line.ts";

/** Ctrl-C, `kill`, and a terminal that was closed. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Exit code of a program that Ctrl-C ended. */
const INTERRUPTED = 130;

/** Aborts on a signal, once; a second one ends the process at once, and with it what is half written. */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = () => {
    // By `exit`, not by the signal's default: unfinished files are removed at exit.
    if (controller.signal.aborted) process.exit(INTERRUPTED);
    process.stderr.write("\nCancelling …\n");
    controller.abort();
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  return controller.signal;
}

export interface StopSignal {
  readonly asked: boolean;
  stopped: Promise<void>;
  /** Lets no library that was started since end the process at a signal before the command has closed what it runs. */
  alone(): void;
}

/**
 * For a command that runs until it is stopped. Call it first of all, so that a Ctrl-C while things start leaves none of them
 * running; `stopped` resolves at the first signal, a second one ends the process at once. With `json` it says so in a line of JSON.
 */
export function stopSignal(json = false): StopSignal {
  const { promise: stopped, resolve } = Promise.withResolvers<void>();
  let asked = false;
  const stop = () => {
    if (asked) process.exit(INTERRUPTED);
    asked = true;
    process.stdout.write(json ? jsonLine({ event: "stopping" }) : "\nStopping …\n");
    resolve();
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  return {
    get asked() {
      return asked;
    },
    stopped,
    alone() {
      for (const signal of SIGNALS) {
        for (const other of process.listeners(signal)) if (other !== stop) process.off(signal, other);
      }
    },
  };
}
