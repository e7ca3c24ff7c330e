import { expect, it } from "vitest";
import { sqlStorage } from "#test/sql-storage.ts";
import { append, type Batch, SCHEMA } from "./audit/append.ts";
import { type Link, verifyChain } from "./audit/chain.ts";
import { authorize } from "./authorize.ts";
import { ok } from "./result.ts";
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
    audit: { append: async (batch: Batch) => ok({ accepted: await append(sql, (run) => run(), batch) }) },
    links: () => [...sql.exec<Link>("SELECT * FROM links ORDER BY sequence")],
  };
}

const open = (ctx: DurableObjectState, { audit }: ReturnType<typeof chain>) =>
  openStore(ctx, { domain: "gateway", audit: audit as never, migrations: [], now: () => 0 });
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
