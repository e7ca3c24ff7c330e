import { expect, it } from "vitest";
import { type Link, verifyChain } from "#protocol/audit/index.ts";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { append, type Batch, lastOf, SCHEMA } from "./audit/append.ts";
import { authorize } from "./authorize.ts";
import { ok, refuse, turnAway } from "./result.ts";
import { openStore, type Store } from "./store.ts";

/** What `openStore` needs of a Durable Object with nothing in its storage yet. */
function newObject(name: string): DurableObjectState {
  const storage = {
    sql: sqlStorage([]),
    transactionSync: <T>(closure: () => T) => closure(),
    getAlarm: async () => null,
    setAlarm: async () => {},
  };
  return { storage, id: { name }, waitUntil() {} } as unknown as DurableObjectState;
}

function chain() {
  const sql: SqlStorage = sqlStorage([SCHEMA]);
  return {
    audit: {
      async append(batch: Batch) {
        const by = { after: lastOf(sql, batch.epoch) ?? 0, now: 0 };
        return ok({ accepted: await append(sql, (run) => run(), batch, by) });
      },
    },
    links: () => [...sql.exec<Link>("SELECT * FROM links ORDER BY sequence")],
  };
}

const open = (ctx: DurableObjectState, { audit }: ReturnType<typeof chain>, now = () => 0) =>
  openStore(ctx, { domain: "gateway", audit: audit as never, migrations: [], now });
const decide = (store: Store, requestId: string) =>
  authorize(store, { action: "test:act", caller: null, resource: "r", requestId }, () => ok(null));
const requestIds = (links: Link[]) => links.map(({ entry }) => JSON.parse(entry).requestId);

it("M20 keeps the audit rows of an object that deleted all it had and began again", async () => {
  const log = chain();
  for (const life of ["first", "second"]) {
    // What `deleteAll` leaves is what a new object has: nothing.
    const store = open(newObject("acme/key"), log);
    decide(store, `${life} a`);
    decide(store, `${life} b`);
    await store.flush();
  }
  expect(requestIds(log.links())).toEqual(["first a", "first b", "second a", "second b"]);
  expect(await verifyChain(log.links())).toMatchObject({ sequence: 4 });
});

it("takes a batch once that comes twice, also after the object was evicted", async () => {
  const log = chain();
  const ctx = newObject("acme");
  const lost = { ...log, audit: { append: async (batch: Batch) => void (await log.audit.append(batch)) } };
  const store = open(ctx, lost as never);
  decide(store, "a");
  await store.flush(); // the answer is lost: the rows stay in the outbox
  const again = open(ctx, log);
  decide(again, "b");
  await again.flush();
  expect(requestIds(log.links())).toEqual(["a", "b"]);
});

it("bounds the rows of refusals of those who are signed in, each user's apart, and loses none", async () => {
  const log = chain();
  let time = 0;
  const store = open(newObject("acme"), log, () => time);
  const caller = (user: string) =>
    ({ tenant: "acme", user, custodian: `CN=${user}`, client: "app", jkt: crypto.randomUUID() }) as never;
  const deny = (by: { caller: never; user?: string } | { caller: null; user: string }, times: number) => {
    for (let i = 0; i < times; i++)
      authorize(store, { action: "kms:rewrap", resource: "r", requestId: "q", ...by }, () =>
        refuse("forbidden", "no"),
      );
  };
  deny({ caller: caller("mallory") }, 500);
  deny({ caller: caller("alice") }, 1);
  deny({ caller: null, user: "bob" }, 300);
  await store.flush();
  time = 60_000;
  await store.flush();
  await store.flush();
  const rows = log.links().map(({ entry }) => JSON.parse(entry) as { user: string; reason: string });
  const of = (user: string) => rows.filter((row) => row.user === user).map(({ reason }) => reason);
  expect(of("alice")).toEqual(["no"]);
  expect(of("mallory")).toHaveLength(21);
  expect(of("mallory").at(-1)).toContain("480 more denials");
  expect(of("bob").at(-1)).toContain("280 more denials");
  expect(rows).toHaveLength(1 + 21 + 21);
});

it("tells denials that anyone can cause one by one up to a bound, and counts the rest of the minute", async () => {
  const log = chain();
  let time = 0;
  const store = open(newObject("acme"), log, () => time);
  const deny = (action: string, times: number) => {
    for (let i = 0; i < times; i++) {
      const request = { action, caller: null, resource: "r", requestId: "q" };
      expect(authorize(store, request, () => turnAway("invalid-grant", "unknown")).ok).toBe(false);
    }
  };
  const rows = () => log.links().map(({ entry }) => JSON.parse(entry));
  deny("iam:token", 500);
  deny("iam:refresh", 3);
  await store.flush();
  expect(rows()).toHaveLength(20 + 3);
  time = 60_000;
  await store.flush();
  await store.flush();
  expect(rows()).toHaveLength(20 + 3 + 1);
  expect(rows().at(-1)).toMatchObject({
    ...{ action: "iam:token", outcome: "deny", code: "too-many-requests" },
    reason: "480 more denials in the minute from 1970-01-01T00:00:00.000Z",
  });
  // A new minute records denials again, and what was counted is not lost when the next denial comes before the alarm.
  deny("iam:token", 21);
  time = 120_000;
  deny("iam:token", 1);
  await store.flush();
  const last = rows().slice(-3);
  expect(last.map(({ reason }) => reason)).toEqual([
    "unknown",
    "1 more denials in the minute from 1970-01-01T00:01:00.000Z",
    "unknown",
  ]);
  expect(rows()).toHaveLength(24 + 20 + 2);
});
