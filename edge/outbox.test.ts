import { expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { wakeBy } from "./alarm.ts";
import { intend, OUTBOX_TABLE, openOutbox } from "./outbox.ts";
import { fail, ok } from "./result.ts";

/** An object's storage whose alarm is kept, and addressees that take messages or not. */
function fixture() {
  let clock = 1000;
  let alarm: number | null = null;
  const storage = {
    sql: sqlStorage([OUTBOX_TABLE]) as SqlStorage,
    getAlarm: async () => alarm,
    async setAlarm(at: number) {
      alarm = at;
    },
  };
  const taken: string[] = [];
  const away = new Set<string>();
  const tried: number[] = [];
  /** Called before each delivery is answered. */
  let meanwhile = () => {};
  const ctx = { storage, waitUntil() {} } as unknown as DurableObjectState;
  const open = () =>
    openOutbox<{ n: number }>(
      ctx,
      async (addressee, messages) => {
        meanwhile();
        if (away.has(addressee)) {
          tried.push(clock);
          return fail("internal");
        }
        taken.push(...messages.map(({ n }) => `${addressee}${n}`));
        return ok(null);
      },
      () => clock,
    );
  return {
    ...{ sql: storage.sql, open, taken, away, tried },
    during(act: () => void) {
      meanwhile = act;
    },
    left: () => storage.sql.exec("SELECT * FROM outbox").toArray().length,
    /** Lets the alarm ring as a new life of the object would have it. */
    async ring(outbox = open()) {
      if (alarm === null) throw new Error("no alarm is set");
      clock = Math.max(clock, alarm);
      alarm = null;
      await outbox.alarm();
    },
    alarm: () => alarm,
    async wakeBy(at: number) {
      await wakeBy(ctx.storage, at);
    },
  };
}

it("sends at once, in order, and keeps nothing of what was taken", async () => {
  const { sql, open, taken, left } = fixture();
  for (let n = 0; n < 250; n++) intend(sql, "a", { n });
  await open().send();
  expect(taken).toEqual(Array.from({ length: 250 }, (_, n) => `a${n}`));
  expect(left()).toBe(0);
});

it("sets the alarm before anything is sent, so that it is carried out whatever becomes of the object", async () => {
  const { sql, open, taken, alarm, ring, left } = fixture();
  intend(sql, "a", { n: 1 });
  // Cut off as soon as it began.
  void open().send();
  expect(alarm()).not.toBeNull();
  await ring();
  expect(taken).toContain("a1");
  expect(left()).toBe(0);
});

it("carries out what a life of the object before has left", async () => {
  const { sql, open, alarm, ring, taken } = fixture();
  intend(sql, "a", { n: 1 });
  open();
  await expect.poll(alarm).not.toBeNull();
  await ring();
  expect(taken).toEqual(["a1"]);
});

it("lets nobody wait for an addressee that is away, and tries that one again, in order, with longer pauses", async () => {
  const { sql, open, taken, away, tried, ring, left } = fixture();
  away.add("a");
  for (const n of [1, 2]) for (const addressee of ["a", "b"]) intend(sql, addressee, { n });
  const outbox = open();
  await outbox.send();
  expect(taken).toEqual(["b1", "b2"]);
  while (tried.length < 9) await ring(outbox);
  const pauses = tried.slice(1).map((at, index) => at - (tried[index] ?? 0));
  expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  away.clear();
  while (left() > 0) await ring(outbox);
  expect(taken).toEqual(["b1", "b2", "a1", "a2"]);
});

it("sends what is intended while others are sent, each in its turn", async () => {
  const { sql, open, taken, during } = fixture();
  const outbox = open();
  intend(sql, "a", { n: 1 });
  during(() => {
    during(() => {});
    intend(sql, "a", { n: 2 });
  });
  await Promise.all([outbox.send(), outbox.send()]);
  expect(taken).toEqual(["a1", "a2"]);
});

it("has an alarm for an intent after one that rang early for somebody else", async () => {
  const { sql, open, wakeBy, ring, alarm, taken } = fixture();
  const outbox = open();
  intend(sql, "a", { n: 1 });
  await outbox.send();
  // What else the object has to do is due before the time that the outbox has set.
  await wakeBy(1500);
  await ring(outbox);
  expect(alarm()).toBeNull();
  intend(sql, "a", { n: 2 });
  const sent = outbox.send();
  expect(alarm()).not.toBeNull();
  await sent;
  expect(taken).toEqual(["a1", "a2"]);
});
