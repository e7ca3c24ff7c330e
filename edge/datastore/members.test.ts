import { beforeEach, expect, it } from "vitest";
import type { Caller } from "../caller.ts";
import { fail, ok, type Result } from "../result.ts";
import { Members } from "./members.ts";

const caller = (user: string, jkt = "k") => ({ tenant: "acme", user, client: "page", jkt }) as Caller;

let now: number;
let asked: string[];
let answer: (caller: Caller) => Promise<Result<{ as: "member" }>>;
let members: Members;

beforeEach(() => {
  now = 1_800_000_000_000;
  asked = [];
  answer = async () => ok({ as: "member" });
  members = new Members(
    (by) => {
      asked.push(`${by.user} ${by.jkt}`);
      return answer(by);
    },
    () => now,
  );
});

it("asks at each request, and for the parts of an upload every few seconds, each custodian apart", async () => {
  for (let i = 0; i < 2; i++) expect((await members.check(caller("ann"))).ok).toBe(true);
  expect(asked).toEqual(["ann k", "ann k"]);
  for (let i = 0; i < 5; i++) expect((await members.checkForPart(caller("ann"))).ok).toBe(true);
  expect(asked).toHaveLength(2);
  await members.checkForPart(caller("ann", "another key"));
  await members.checkForPart(caller("bob"));
  expect(asked.slice(2)).toEqual(["ann another key", "bob k"]);
  now += 5000;
  await members.checkForPart(caller("ann"));
  expect(asked.slice(4)).toEqual(["ann k"]);
});

it("keeps no refusal, and none of what was allowed before it", async () => {
  await members.check(caller("ann"));
  answer = async () => fail("forbidden");
  expect((await members.check(caller("ann"))).ok).toBe(false);
  expect((await members.checkForPart(caller("ann"))).ok).toBe(false);
  answer = async () => ok({ as: "member" });
  expect((await members.checkForPart(caller("ann"))).ok).toBe(true);
});

it.each([["the user has left", "ann"] as const, ["the account is shredded", undefined] as const])(
  "asks again at once when %s",
  async (_, user) => {
    await members.check(caller("ann"));
    answer = async () => fail("forbidden");
    for (let i = 0; i < 2; i++) members.end(user);
    expect((await members.checkForPart(caller("ann"))).ok).toBe(false);
  },
);

it("keeps what is known of others when a user leaves", async () => {
  await members.check(caller("ann"));
  members.end("bob");
  await members.checkForPart(caller("ann"));
  expect(asked).toHaveLength(1);
});

it("believes no answer that was given before the user left", async () => {
  const { promise, resolve } = Promise.withResolvers<Result<null>>();
  answer = () => promise;
  const first = members.checkForPart(caller("ann"));
  members.end("ann");
  answer = async () => fail("forbidden");
  resolve(ok({ as: "member" }));
  expect((await first).ok).toBe(false);
  expect((await members.checkForPart(caller("ann"))).ok).toBe(false);
});

it("keeps a bounded number of answers", async () => {
  for (let i = 0; i < 1001; i++) await members.check(caller("ann", `${i}`));
  asked = [];
  await members.checkForPart(caller("ann", "1000"));
  expect(asked).toEqual([]);
  await members.checkForPart(caller("ann", "0"));
  expect(asked).toEqual(["ann 0"]);
});
