/** What the HSM has logged of one identity's operations. */

import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import type { System } from "../support/start.ts";

/** Names of an identity's operations (the KMS's) in the log so far, in order, once no more come: lines are gathered for a moment. */
export async function kmsOperations(
  system: Pick<System, "running">,
  identity: string = IDENTITY.kms,
): Promise<string[]> {
  for (let before = -1; ; ) {
    const operations = readOperations(system.running.hsm.logPath, identity);
    if (operations.length === before) return operations;
    before = operations.length;
    await delay(400);
  }
}

function readOperations(path: string, of: string): string[] {
  return (
    readFileSync(path, "utf8")
      .split("\n")
      // The last line may not be whole yet.
      .slice(0, -1)
      .map((line) => JSON.parse(line) as { event: string; operation?: string; identity?: string })
      .filter(({ event, identity }) => event === "operation" && identity === of)
      .map(({ operation = "" }) => operation)
  );
}

/** As `Server-Timing` has them: `Import*2 Get`. */
export function operationsOf(told: string): string[] {
  return told.split(" ").flatMap((run) => {
    const [name = "", times = "1"] = run.split("*");
    return Array.from({ length: Number(times) }, () => name);
  });
}
