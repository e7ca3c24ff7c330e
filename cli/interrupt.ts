/** Aborts on Ctrl-C or SIGTERM, once; a second one ends the process at once. */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = () => {
    process.stderr.write("\nCancelling …\n");
    controller.abort();
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  return controller.signal;
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

export interface StopSignal {
  readonly asked: boolean;
  stopped: Promise<void>;
  /** Lets no library that was started since end the process at a signal before the command has closed what it runs. */
  alone(): void;
}

/** Exit code of a program that Ctrl-C ended. */
const INTERRUPTED = 130;

/**
 * For a command that runs until it is stopped. Call it first of all, so that a Ctrl-C while things start leaves none of them
 * running; `stopped` resolves at the first SIGINT or SIGTERM, a second one ends the process at once.
 */
export function stopSignal(): StopSignal {
  const { promise: stopped, resolve } = Promise.withResolvers<void>();
  let asked = false;
  const stop = () => {
    if (asked) process.exit(INTERRUPTED);
    asked = true;
    process.stdout.write("\nStopping …\n");
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
