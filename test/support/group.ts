/**
 * A program that ends when this process does, however that ends: by itself, by a signal, or killed without warning.
 * Between the two stands a process of this file (`node group.ts PROGRAM ARGS…`), which ends the program and all that the
 * program has started, its process group, as soon as its standard input closes.
 */

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export type Group = {
  /** Resolves when the program and all that it started have been ended, or the program has ended by itself. */
  ended: Promise<void>;
  /** Ends all of it at once. */
  kill(): Promise<void>;
};

export type GroupOptions = {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Descriptor of an open file for what the program prints, which is discarded otherwise. */
  output?: number;
};

/** Starts a program as a group of its own, with nothing on its standard input. */
export function startGroup(
  program: string,
  args: string[],
  { output, ...options }: GroupOptions = {},
): Group {
  const watch = spawn(process.execPath, [fileURLToPath(import.meta.url), program, ...args], {
    ...options,
    stdio: ["pipe", output ?? "ignore", output ?? "ignore"],
    // An interrupt of the terminal reaches every process of its group; this one is asked to end by its input alone.
    detached: true,
  });
  const ended = new Promise<void>((resolve) => {
    watch.once("exit", () => resolve());
    watch.once("error", () => resolve());
  });
  return {
    ended,
    kill() {
      watch.stdin?.destroy();
      return ended;
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [program, ...args] = process.argv.slice(2);
  const child = spawn(program!, args, { stdio: ["ignore", "inherit", "inherit"], detached: true });
  const end = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // The group has ended.
    }
    process.exit(0);
  };
  child.once("error", () => process.exit(1));
  child.once("exit", end);
  process.stdin.once("close", end).resume();
}
