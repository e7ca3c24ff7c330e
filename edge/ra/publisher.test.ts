import { beforeEach, describe, expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { fail, ok, type Result } from "../result.ts";
import {
  isFirstNamed,
  type KeptList,
  keepLife,
  keepList,
  LONGEST_LIST,
  lastList,
  nextList,
  noteRevoked,
  PUBLISHED,
  saysAll,
} from "./published.ts";
import { type Made, Publisher, RETRY_SECONDS, Turns } from "./publisher.ts";
import { FIRST_LIST } from "./revocations.ts";

const NOW = 1_800_000_000;
const LIFE = 1000;
const LIST = 7;
let sql: SqlStorage;
let now: number;
/** Lists that are with the HSM: what each says, and how to end it. */
let signing: { serials: string[]; sign: () => void; refuse: () => void }[];
let publisher: Publisher;

beforeEach(() => {
  sql = sqlStorage(PUBLISHED);
  now = NOW;
  signing = [];
  publisher = new Publisher(sql, LIST, make, () => now);
});

/** A list whose octets are the text of the serial numbers in it. */
function make(): Promise<Result<null>> {
  const list = begin();
  return new Promise((resolve) => {
    signing.push({
      serials: list.serials,
      sign() {
        keepList(sql, LIST, list);
        resolve(ok(null));
      },
      refuse: () => resolve(fail("hsm-unavailable")),
    });
  });
}
function begin(): KeptList & { serials: string[] } {
  const { number, seen, revoked } = nextList(sql, LIST, now)!;
  const serials = revoked.map(({ serial }) => serial);
  const der = new TextEncoder().encode(serials.join());
  return { number, seen, serials, der, thisUpdate: now, nextUpdate: now + LIFE };
}
const revoke = (serial: string, at = NOW, list = LIST) =>
  noteRevoked(sql, [{ list, serials: [serial], at, reason: 9, expires: now + 90_000 }], now);
const says = (answer: Result<{ der: Uint8Array }>) =>
  answer.ok ? new TextDecoder().decode(answer.value.der) : answer.problem.code;
/** Until what can go on without the HSM has gone on. */
const settled = () => new Promise((resolve) => setTimeout(resolve));

it("M20 one list is made at a time, however many ask, and none has the number of another", async () => {
  const first = Array.from({ length: 5 }, () => publisher.published());
  revoke("aaa");
  const second = Array.from({ length: 5 }, () => publisher.published());
  await settled();
  expect(signing).toHaveLength(1);
  signing[0]!.sign();
  await settled();
  expect(signing.map(({ serials }) => serials)).toEqual([[], ["aaa"]]);
  signing[1]!.sign();
  const answers = await Promise.all([...first, ...second]);
  // Who asked before it was revoked may have either.
  expect(answers.slice(5).map(says)).toEqual(Array(5).fill("aaa"));
  expect(signing).toHaveLength(2);
  expect(lastList(sql, LIST)?.number).toBe(2);
});

it("M20 a revocation while a list is being signed makes another one, and so does one that was told before a crash", async () => {
  const asked = publisher.published();
  revoke("aaa");
  signing[0]!.sign();
  expect(says(await asked)).toBe("");
  const again = publisher.published();
  expect(signing.map(({ serials }) => serials)).toEqual([[], ["aaa"]]);
  // The object ends here, with the answer of the HSM on its way: the next one has no memory of it.
  const next = new Publisher(sql, LIST, make, () => now);
  const after = next.published();
  expect(signing, "the kept list lacks it still").toHaveLength(3);
  signing[2]!.sign();
  expect(says(await after)).toBe("aaa");
  signing[1]!.sign();
  expect(says(await again)).toBe("aaa");
});

it("M20 an older list never takes the place of a newer one", () => {
  const older = begin();
  revoke("aaa");
  keepList(sql, LIST, { ...begin(), number: 2 });
  keepList(sql, LIST, older);
  expect(lastList(sql, LIST)).toMatchObject({ number: 2, seen: 1 });
});

it("a list that could not be made is not tried again at each question, and is after a while", async () => {
  const asked = publisher.published();
  signing[0]!.refuse();
  expect(says(await asked)).toBe("hsm-unavailable");
  now += 5;
  for (let i = 0; i < 20; i++)
    expect(await publisher.published()).toMatchObject({
      problem: { code: "hsm-unavailable", retryAfter: RETRY_SECONDS - 5 },
    });
  expect(signing).toHaveLength(1);
  now += RETRY_SECONDS - 5;
  const again = publisher.published();
  expect(signing).toHaveLength(2);
  signing[1]!.sign();
  expect(says(await again)).toBe("");
});

it("M20 where none can be made, the last one counts as long as it says all and is good", async () => {
  const asked = publisher.published();
  signing[0]!.sign();
  await asked;
  now += LIFE / 2;
  const half = publisher.published();
  signing[1]!.refuse();
  expect(says(await half)).toBe("");
  now += 1;
  expect(says(await publisher.published())).toBe("");
  revoke("aaa");
  expect(says(await publisher.published())).toBe("hsm-unavailable");
  now += LIFE;
  const late = publisher.published();
  signing[2]!.refuse();
  expect(says(await late)).toBe("hsm-unavailable");
});

it("the same revocation, told again, makes no other list; an earlier time of it does, and one that is due", async () => {
  const ask = async () => {
    const asked = publisher.published();
    signing.splice(0).forEach(({ sign }) => {
      sign();
    });
    return says(await asked);
  };
  revoke("aaa", NOW + 600);
  expect(await ask()).toBe("");
  revoke("aaa", NOW + 600);
  revoke("aaa", NOW + 700);
  const { number } = lastList(sql, LIST)!;
  expect(await ask()).toBe("");
  expect(lastList(sql, LIST)?.number).toBe(number);
  revoke("aaa", NOW + 60);
  now += 59;
  expect(await ask()).toBe("");
  expect(lastList(sql, LIST)?.number).toBe(number + 1);
  now += 1;
  expect(await ask()).toBe("aaa");
});

it("the list of an earlier release keeps its number and what it names, counts as lacking something, and is the first of many", () => {
  const [before, since, ...many] = PUBLISHED;
  const kept = sqlStorage([before!]) as SqlStorage;
  kept.exec("INSERT INTO published VALUES (1, 7, ?, ?, 0, x'3000')", NOW, NOW + LIFE);
  kept.exec("INSERT INTO revoked VALUES ('aaa', ?, 9, ?)", NOW, NOW + LIFE);
  kept.exec(since!);
  for (const migration of many) kept.exec(migration);
  const last = lastList(kept, FIRST_LIST)!;
  expect(last).toMatchObject({ number: 7, thisUpdate: NOW, nextUpdate: NOW + LIFE });
  const next = nextList(kept, FIRST_LIST, NOW)!;
  expect(next.number).toBe(8);
  expect(next.revoked.map(({ serial }) => serial)).toEqual(["aaa"]);
  expect(saysAll(kept, FIRST_LIST, last, next.seen, NOW)).toBe(false);
  expect(nextList(kept, LIST, NOW)).toMatchObject({ number: 1, revoked: { length: 0 } });
});

it("M20 the list of an earlier release is there as long as a certificate that may name it, however short their life is made since", () => {
  const [before, since, ...many] = PUBLISHED;
  const kept = sqlStorage([before!, since!]) as SqlStorage;
  kept.exec(
    "INSERT INTO published (only, number, this_update, next_update, der) VALUES (1, 7, 0, 1, x'3000')",
  );
  for (const migration of many) kept.exec(migration);
  kept.exec("UPDATE split SET at = ?", NOW);
  keepLife(kept, LIFE);
  keepLife(kept, LIFE / 10);
  expect(isFirstNamed(kept, NOW + LIFE - 1)).toBe(true);
  expect(isFirstNamed(kept, NOW + LIFE)).toBe(false);
});

it("M20 the list of an earlier release is there where nobody had read it, while one that names it is revoked", () => {
  keepLife(sql, LIFE);
  revoke("aaa");
  expect(isFirstNamed(sql, now)).toBe(false);
  revoke("bbb", NOW, FIRST_LIST);
  expect(isFirstNamed(sql, now)).toBe(true);
  expect(nextList(sql, FIRST_LIST, now)!.revoked.map(({ serial }) => serial)).toEqual(["bbb"]);
  expect(isFirstNamed(sql, now + 90_000), "it has expired").toBe(false);
});

it("M20 a list names what is told of it and nothing of another's, and is made again for that alone", async () => {
  const other = new Publisher(
    sql,
    8,
    () => Promise.resolve(fail("internal")),
    () => now,
  );
  keepList(sql, 8, { ...begin(), number: 1 });
  const asked = publisher.published();
  signing[0]!.sign();
  await asked;
  revoke("aaa");
  const again = publisher.published();
  signing[1]!.sign();
  expect(says(await again)).toBe("aaa");
  expect(says(await other.published()), "it says all still").toBe("");
  revoke("bbb", NOW, 8);
  expect(says(await publisher.published())).toBe("aaa");
  expect(says(await other.published())).toBe("internal");
  revoke("ccc");
  const third = publisher.published();
  expect(signing).toHaveLength(3);
  signing[2]!.sign();
  expect(says(await third)).toBe("aaa,ccc");
});

it("what nobody reads leaves too, a month after its end, and a list that is too long is none", () => {
  revoke("aaa");
  now += 90_000 + 30 * 86_400;
  revoke("bbb");
  expect(begin().serials).toEqual(["aaa", "bbb"]);
  now += 1;
  revoke("ccc");
  expect(begin().serials).toEqual(["bbb", "ccc"]);
  const serials = Array.from({ length: LONGEST_LIST - 2 }, (_, n) => `d${n}`);
  noteRevoked(sql, [{ list: LIST, serials, at: NOW, reason: 9, expires: now }], now);
  expect(begin().serials).toHaveLength(LONGEST_LIST);
  revoke("eee");
  expect(nextList(sql, LIST, now)).toBeNull();
  expect(nextList(sql, 8, now)?.revoked).toHaveLength(0);
});

describe("turns of a tenant's lists at the HSM", () => {
  let under: { list: number; end: (made: Made) => void }[];
  let turns: Turns;
  beforeEach(() => {
    under = [];
    turns = new Turns(
      (list) => new Promise((end) => under.push({ list, end })),
      () => now,
    );
  });

  it("one after the other, however many are asked for at once, and on after one that threw", async () => {
    const made = [1, 2, 3].map((list) => turns.make(list));
    await settled();
    expect(under.map(({ list }) => list)).toEqual([1]);
    under[0]!.end(Promise.reject(new Error("gone")) as never);
    await expect(made[0]).rejects.toThrow("gone");
    await settled();
    expect(under.map(({ list }) => list)).toEqual([1, 2]);
    under[1]!.end(ok(null));
    await settled();
    under[2]!.end(ok(null));
    expect(await Promise.all(made.slice(1))).toEqual([ok(null), ok(null)]);
  });

  it("none for a while after the HSM was away, or would sign none, for any list; one that is too long keeps no other from it", async () => {
    const made = [1, 2, 3].map((list) => turns.make(list));
    await settled();
    under[0]!.end("too-long");
    await settled();
    under[1]!.end(fail("hsm-unavailable"));
    await settled();
    expect(under, "the third was not tried").toHaveLength(2);
    expect(await Promise.all(made)).toMatchObject([
      { problem: { code: "hsm-refused" } },
      { problem: { code: "hsm-unavailable" } },
      { problem: { code: "hsm-unavailable" } },
    ]);
    now += RETRY_SECONDS;
    const refused = [3, 4].map((list) => turns.make(list));
    await settled();
    under[2]!.end(fail("hsm-refused"));
    for (const one of refused) expect(await one).toMatchObject({ problem: { code: "hsm-refused" } });
    expect(under, "the fourth was not tried").toHaveLength(3);
    now += RETRY_SECONDS;
    const again = turns.make(3);
    await settled();
    under[3]!.end(ok(null));
    expect(await again).toEqual(ok(null));
  });
});
