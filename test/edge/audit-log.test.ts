/** How decisions get into the tenant's log under a signed root, whatever becomes of the edge on the way. */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Audit, auditThat, type Entry, readAudit } from "../support/audit.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { readRows, useSystem } from "../system/index.ts";

const TENANT = "development";
/** Chains get ahead of the log by seconds, so that an end comes between. */
const system = useSystem({ vars: { COFFER_AUDIT_SECONDS: "15", COFFER_AUDIT_LINKS: "3" } });

const pause = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** Signs in and has data keys made; answers the ids of some of the requests, of three domains. */
async function decide(name: string): Promise<string[]> {
  const client = await EdgeClient.signedIn(system, name);
  const { account } = client;
  const answers = [
    await client.rest("POST", "/kms/data-keys", { account, count: 1, purpose: "document" }),
    await client.rest("GET", `/accounts/${account}/documents`),
    await client.rest("GET", "/ra/instances"),
  ];
  expect(answers.map(({ status }) => status)).toEqual([201, 200, 200]);
  return answers.map(({ headers }) => headers["request-id"]!);
}

/** Whether each request's entry is under a signed root: in the chain up to its last checkpoint. */
const signed = (requests: string[]) => (entries: Entry[], verified: Audit["verified"]) =>
  requests.every((id) => {
    const entry = entries.find(({ requestId }) => requestId === id);
    return entry && entry.sequence <= (verified.chains.get(entry.source)?.sequence ?? 0);
  });

/** Each outbox is there from its first number on, without a gap and nothing twice. */
function expectWhole({ entries, verified }: Audit): void {
  const outboxes = Map.groupBy(entries, ({ source, epoch }) => `${source} ${epoch}`);
  for (const [outbox, rows] of outboxes)
    expect(
      rows.map((row) => row.outbox),
      outbox,
    ).toEqual(rows.map((_, i) => i + 1));
  expect(entries).toHaveLength(verified.links + verified.unsigned.links);
}

describe("the audit log", () => {
  it("has the decisions of several sources under one signed root within a minute", async () => {
    const began = Date.now();
    const requests = await decide("Ada");
    const audit = await auditThat(system, TENANT, signed(requests));
    expect(Date.now() - began).toBeLessThan(60_000);
    const domains = new Set([...audit.verified.chains.keys()].map((source) => source.split("/", 1)[0]));
    expect([...domains]).toEqual(expect.arrayContaining(["datastore", "iam", "kms"]));
    expect(audit.verified.roots).toBeLessThan(audit.verified.chains.size);
    expectWhole(audit);
  });

  it("loses nothing and doubles nothing when workerd is killed on the way", async () => {
    const requests: string[] = [];
    // In the outbox, in the chain, at the one gatherer and the other, in the log without a root.
    for (const seconds of [0.1, 1.5, 5, 8, 11]) {
      requests.push(...(await decide(`Bob ${seconds}`)));
      await pause(seconds);
      process.kill(system.pid, "SIGKILL");
      await system.restart();
    }
    const audit = await auditThat(system, TENANT, signed(requests));
    expectWhole(audit);
  });

  it("has old links in segments and new ones in the object, as one chain that goes on", async () => {
    const before = await readAudit(system, TENANT);
    const requests: string[] = [];
    for (let i = 0; i < 3; i++) requests.push(...(await decide(`Eve ${i}`)));
    const audit = await auditThat(system, TENANT, signed(requests));
    await expect.poll(() => readRows(system.edgeDir, "segments").length).toBeGreaterThan(0);
    const after = await readAudit(system, TENANT, before!.verified);
    expectWhole(after!);
    expect(after!.verified.links).toBeGreaterThanOrEqual(audit.verified.links);
    const segments = readRows(system.edgeDir, "segments") as { first: number; last: number; key: string }[];
    const kept = readRows(system.edgeDir, "links").length;
    const closed = segments.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    expect(closed + kept).toBeGreaterThanOrEqual(after!.verified.links);
    for (const { key } of segments)
      expect(key).toMatch(/^development\/source\/[\w/-]+\/\d{16}-\d{16}-[\w-]{43}\.ndjson$/);
    const bucket = readdirSync(join(system.edgeDir), { recursive: true }).map(String);
    expect(bucket.some((path) => path.includes("coffer-audit-segments"))).toBe(true);
  });
});
