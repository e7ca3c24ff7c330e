import { beforeEach, expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { fail, ok, type Result } from "../result.ts";
import { type KeptList, keepList, lastList, nextList, noteRevoked, PUBLISHED, saysAll } from "./published.ts";
import { Publisher, RETRY_SECONDS } from "./publisher.ts";

const NOW = 1_800_000_000;
const LIFE = 1000;
let sql: SqlStorage;
let now: number;
/** Lists that are with the HSM: what each says, and how to end it. */
let signing: { serials: string[]; sign: () => void; refuse: () => void }[];
let publisher: Publisher;

beforeEach(() => {
  sql = sqlStorage(PUBLISHED);
  now = NOW;
  signing = [];
  publisher = new Publisher(sql, make, () => now);
});

/** A list whose octets are the text of the serial numbers in it. */
function make(): Promise<Result<null>> {
  const list = begin();
  return new Promise((resolve) => {
    signing.push({
      serials: list.serials,
      sign() {
        keepList(sql, list);
        resolve(ok(null));
      },
      refuse: () => resolve(fail("hsm-unavailable")),
    });
  });
}
function begin(): KeptList & { serials: string[] } {
  const { number, seen, revoked } = nextList(sql, now);
  const serials = revoked.map(({ serial }) => serial);
  const der = new TextEncoder().encode(serials.join());
  return { number, seen, serials, der, thisUpdate: now, nextUpdate: now + LIFE };
}
const revoke = (serial: string, at = NOW) =>
  noteRevoked(sql, [{ serials: [serial], at, reason: 9, expires: NOW + 90_000 }]);
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
  expect(lastList(sql)?.number).toBe(2);
});

it("M20 a revocation while a list is being signed makes another one, and so does one that was told before a crash", async () => {
  const asked = publisher.published();
  revoke("aaa");
  signing[0]!.sign();
  expect(says(await asked)).toBe("");
  const again = publisher.published();
  expect(signing.map(({ serials }) => serials)).toEqual([[], ["aaa"]]);
  // The object ends here, with the answer of the HSM on its way: the next one has no memory of it.
  const next = new Publisher(sql, make, () => now);
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
  keepList(sql, { ...begin(), number: 2 });
  keepList(sql, older);
  expect(lastList(sql)).toMatchObject({ number: 2, seen: 2 });
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
  const { number } = lastList(sql)!;
  expect(await ask()).toBe("");
  expect(lastList(sql)?.number).toBe(number);
  revoke("aaa", NOW + 60);
  now += 59;
  expect(await ask()).toBe("");
  expect(lastList(sql)?.number).toBe(number + 1);
  now += 1;
  expect(await ask()).toBe("aaa");
});

it("the list of an earlier release keeps its number, and counts as lacking something", () => {
  const [before, ...since] = PUBLISHED;
  const kept = sqlStorage([before!]) as SqlStorage;
  kept.exec("INSERT INTO published VALUES (1, 7, ?, ?, 0, x'3000')", NOW, NOW + LIFE);
  for (const migration of since) kept.exec(migration);
  const last = lastList(kept)!;
  expect(last).toMatchObject({ number: 7, thisUpdate: NOW, nextUpdate: NOW + LIFE });
  const next = nextList(kept, NOW);
  expect(next.number).toBe(8);
  expect(saysAll(kept, last, next.seen, NOW)).toBe(false);
});
