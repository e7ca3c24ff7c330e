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

/** Exit code of a program that Ctrl-C ended. */
const INTERRUPTED = 130;

/**
 * For a command that runs until it is stopped. Call it first of all, so that a Ctrl-C while things start leaves none of them
 * running; `stopped` resolves at the first SIGINT or SIGTERM, a second one ends the process at once.
 */
export function stopSignal(): { readonly asked: boolean; stopped: Promise<void> } {
  let asked = false;
  const stopped = new Promise<void>((resolve) => {
    const stop = () => {
      if (asked) process.exit(INTERRUPTED);
      asked = true;
      process.stdout.write("\nStopping …\n");
      resolve();
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
  });
  return {
    get asked() {
      return asked;
    },
    stopped,
  };
}
