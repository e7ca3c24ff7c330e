/** Finds the process of workerd behind a port. */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** The process that listens on this TCP port of the loopback (Linux; throws where /proc does not say). */
export function workerdPid(port: number): number {
  const inodes = new Set<string>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of readFileSync(table, "utf8").split("\n").slice(1)) {
      const fields = line.trim().split(/\s+/);
      const listening = fields[3] === "0A";
      if (listening && Number.parseInt(fields[1]?.split(":")[1] ?? "", 16) === port)
        inodes.add(fields[9] ?? "");
    }
  }
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      for (const file of readdirSync(`/proc/${entry}/fd`)) {
        const target = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${entry}/fd/${file}`));
        if (target && inodes.has(target[1]!)) return Number(entry);
      }
    } catch {
      // Gone, or another user's.
    }
  }
  throw new Error(`no process listens on port ${port}`);
}
