/**
 * What the audit has about a subject, the newest first and by pages: the chains of all domains about it, merged by time. For
 * people who read; what proves itself is an export.
 */

import type { Link } from "#protocol/audit/index.ts";
import { AUDIT_PAGE, type AuditEntry } from "#protocol/contract/index.ts";
import type { Segment } from "./segments.ts";

type Domain = Pick<Env, "AUDIT_SOURCE_OBJECT" | "AUDIT_SEGMENTS">;

/** Domains that decide about subjects. The cursor has a number for each, in this order. */
const DOMAINS = ["gateway", "iam", "kms", "ra", "datastore"] as const;
/** More than any sequence. */
const END = 999_999_999_999_999;

export type AuditPage = { entries: AuditEntry[]; before?: string };

/** `subject`: an account or a user; null for the tenant's own. `before`: where the page before it ended. */
export async function pageOf(
  env: Domain,
  { tenant, subject, before }: { tenant: string; subject: string | null; before: string | null },
): Promise<AuditPage> {
  const bounds = before === null ? DOMAINS.map(() => END) : before.split(".").map(Number);
  const chains = await Promise.all(
    DOMAINS.map(async (domain, index) => {
      const source = subject === null ? domain : `${domain}/${subject}`;
      const found = await entriesBefore(env, `${tenant}/${source}`, bounds[index] ?? 0);
      return { found, at: 0 };
    }),
  );
  const entries: AuditEntry[] = [];
  while (entries.length < AUDIT_PAGE) {
    const open = chains.filter(({ found, at }) => at < found.length);
    const newest = open.reduce<(typeof open)[number] | undefined>(
      (best, chain) => (best === undefined || timeOf(chain) > timeOf(best) ? chain : best),
      undefined,
    );
    const entry = newest?.found[newest.at];
    if (newest === undefined || entry === undefined) break;
    entries.push(entry);
    newest.at += 1;
    // What comes next in this chain is not known, and may be newer than what the others have.
    if (newest.at === newest.found.length && entry.sequence > 1) break;
  }
  // Before the last that was taken of each chain, or from the first that was not.
  const next = chains.map(({ found, at }) =>
    at > 0 ? (found[at - 1]?.sequence ?? 0) : found[0] ? found[0].sequence + 1 : 0,
  );
  const more = next.some((bound) => bound > 1);
  return { entries, ...(more && { before: next.join(".") }) };
}

function timeOf({ found, at }: { found: AuditEntry[]; at: number }): string {
  return found[at]?.time ?? "";
}

/** At most a page of a chain before this sequence, the newest first; at least one where there is any. */
async function entriesBefore(env: Domain, name: string, bound: number): Promise<AuditEntry[]> {
  if (!(bound > 1)) return [];
  const found = await env.AUDIT_SOURCE_OBJECT.getByName(name).before(bound, AUDIT_PAGE);
  const links = Array.isArray(found) ? found : await linksOf(env, found, bound);
  return links.map(({ entry }) => entryOf(entry));
}

async function linksOf(env: Domain, { key }: Segment, bound: number): Promise<Link[]> {
  const stored = await env.AUDIT_SEGMENTS.get(key);
  if (stored === null) throw new Error(`The bucket lacks a segment: ${key}`);
  const lines = (await stored.text()).split("\n").filter((line) => line !== "");
  const links = lines.map((line) => JSON.parse(line) as Link).filter(({ sequence }) => sequence < bound);
  return links.slice(-AUDIT_PAGE).reverse();
}

/** Of what is hashed, what a person reads. */
function entryOf(text: string): AuditEntry {
  const { source, sequence, time, action, resource, outcome, requestId, code, reason, user, client } =
    JSON.parse(text) as AuditEntry;
  return {
    ...{ source, sequence, time, action, resource, outcome, requestId },
    ...(code !== undefined && { code }),
    ...(reason !== undefined && { reason }),
    ...(user !== undefined && { user }),
    ...(client !== undefined && { client }),
  };
}
