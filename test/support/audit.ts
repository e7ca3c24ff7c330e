/** A tenant's audit as an operator exports it, verified by the root key alone. */

import { expect } from "vitest";
import { linesOf, parseLine, type Verified, verifyExport } from "#protocol/audit/index.ts";
import { seconds } from "#protocol/clock.ts";
import type { System } from "./start.ts";

export type Entry = {
  source: string;
  epoch: string;
  /** RFC 3339. */
  time: string;
  outbox: number;
  sequence: number;
  action: string;
  resource: string;
  outcome: string;
  requestId: string;
  code?: string;
  reason?: string;
  user?: string;
};

export type Audit = { text: string; entries: Entry[]; verified: Verified };

/** The export as it is now; null while nothing of the tenant is signed. Fails the test for one that proves nothing. */
export async function readAudit(
  { running }: System,
  tenant: string,
  since?: Verified,
): Promise<Audit | null> {
  const audit = await running.edge.audit();
  const bytes = new Uint8Array(await new Response(await audit.export(tenant)).arrayBuffer());
  const lines: string[] = [];
  for await (const line of linesOf(once(bytes))) lines.push(line);
  if (lines.length === 2) return null;
  const anchor = { rootKey: running.rootKey, now: seconds(Date.now()) };
  const verified = await verifyExport(lines, anchor, since).catch((error) => expect.fail(String(error)));
  const entries = lines.map(parseLine).flatMap((line) => {
    return "previous" in line ? [JSON.parse(line.entry) as Entry] : [];
  });
  return { text: lines.join("\n"), entries, verified };
}

/** The export, once its entries show what is waited for: outboxes are forwarded soon, not at once. */
export async function auditThat(
  system: System,
  tenant: string,
  shows: (entries: Entry[], verified: Verified) => boolean,
): Promise<Audit> {
  for (;;) {
    const audit = await readAudit(system, tenant);
    if (audit !== null && shows(audit.entries, audit.verified)) return audit;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function* once(bytes: Uint8Array) {
  yield bytes;
}
