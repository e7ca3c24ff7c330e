/**
 * What one object has decided and others have still to hear. The intent is a row in the transaction of the decision; it is
 * sent at once afterwards, and by the object's alarm until it was taken: at least once, and for each addressee in order.
 * A message may come again, even after those that follow it: who takes it must not mind.
 */

import { wakeBy } from "./alarm.ts";
import { fail, type Result } from "./result.ts";
import { within } from "./within.ts";

/** A part of the migrations of every object that has an outbox. `due`: milliseconds since 1970. */
export const OUTBOX_TABLE = `
  CREATE TABLE outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT, addressee TEXT NOT NULL, message TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX outbox_by_addressee ON outbox (addressee, number);
`;

/** Messages of one delivery. */
const BATCH = 100;
/** The first pause after a failure, which doubles with each, and the longest. Milliseconds. */
const PAUSE_MS = 1000;
const MAX_PAUSE_MS = 60_000;
/** An addressee that says nothing for so long is asked again later. */
const PATIENCE_MS = 10_000;

export type Outbox = {
  /** Sends what is due. Call it right after the transaction, with no wait in between. */
  send(): Promise<void>;
  /** The same from the object's `alarm()`. The alarm is shared and may ring before the time that was set here: what comes now needs another. */
  alarm(): Promise<void>;
};

/** Notes a message, in the transaction of the decision; `send` sends it. */
export function intend(sql: SqlStorage, addressee: string, message: object): void {
  sql.exec("INSERT INTO outbox (addressee, message) VALUES (?, ?)", addressee, JSON.stringify(message));
}

/** Whether a message for this addressee was not heard yet. */
export function isWaiting(sql: SqlStorage, addressee: string): boolean {
  return sql.exec("SELECT 1 FROM outbox WHERE addressee = ? LIMIT 1", addressee).toArray().length === 1;
}

/** `deliver` takes messages of one addressee, in order: all of them, or none is done with. */
export function openOutbox<M>(
  ctx: Pick<DurableObjectState, "storage" | "waitUntil">,
  deliver: (addressee: string, messages: M[]) => Promise<Result<null>>,
  now: () => number = Date.now,
): Outbox {
  const { storage } = ctx;
  const { sql } = storage;
  let armedUntil = 0;
  let sending: Promise<void> = Promise.resolve();

  /** When the first message is due that no other of its addressee keeps waiting; null when none waits. */
  const next = () =>
    sql
      .exec<{ due: number | null }>(
        "SELECT min(due) AS due FROM (SELECT due, min(number) FROM outbox GROUP BY addressee)",
      )
      .one().due;

  async function sendDue(): Promise<void> {
    const due = sql
      .exec<{ addressee: string }>(
        "SELECT addressee FROM (SELECT addressee, due, min(number) FROM outbox GROUP BY addressee) WHERE due <= ?",
        now(),
      )
      .toArray();
    await Promise.all(due.map(({ addressee }) => sendTo(addressee)));
    const at = next();
    if (at !== null) await wakeBy(storage, Math.max(at, now()));
  }

  async function sendTo(addressee: string): Promise<void> {
    for (;;) {
      const rows = sql
        .exec<{ number: number; message: string; tries: number }>(
          "SELECT number, message, tries FROM outbox WHERE addressee = ? ORDER BY number LIMIT ?",
          addressee,
          BATCH,
        )
        .toArray();
      const [first, last] = [rows[0], rows.at(-1)];
      if (first === undefined || last === undefined) return;
      const messages = rows.map(({ message }) => JSON.parse(message) as M);
      const taken = await within(PATIENCE_MS, deliver(addressee, messages), () => fail("internal")).catch(
        () => fail("internal"),
      );
      if (taken.ok) {
        sql.exec("DELETE FROM outbox WHERE addressee = ? AND number <= ?", addressee, last.number);
        continue;
      }
      const pause = Math.min(PAUSE_MS * 2 ** first.tries, MAX_PAUSE_MS);
      const again = "UPDATE outbox SET tries = tries + 1, due = ? WHERE number = ?";
      sql.exec(again, now() + pause, first.number);
      const { code } = taken.problem;
      console.warn(JSON.stringify({ event: "outbox-waits", addressee: addressee.split("/", 1)[0], code }));
      return;
    }
  }

  // An eviction before the alarm was set must not leave a message behind.
  const waiting = next();
  if (waiting !== null) ctx.waitUntil(wakeBy(storage, Math.max(waiting, now())));

  function send(): Promise<void> {
    const due = next();
    if (due === null) return Promise.resolve();
    if (due <= now() && armedUntil <= now()) {
      // One write with the intent: whatever becomes of this object now, its alarm comes.
      armedUntil = now() + PAUSE_MS;
      ctx.waitUntil(storage.setAlarm(armedUntil));
    }
    sending = sending.then(sendDue, sendDue);
    return sending;
  }

  return {
    send,
    alarm() {
      armedUntil = 0;
      return send();
    },
  };
}
