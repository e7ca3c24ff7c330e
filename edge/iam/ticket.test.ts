import { expect, it, vi } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { rawTicketKey } from "./kept-key.ts";
import { tenantMigrations } from "./schema.ts";
import { checkTicket, makeTicket, type Question, ticketKey } from "./ticket.ts";

const NOW = 1_800_000_000_000;
const question: Question = { page: "sign-in", session: "s1", about: "client_id=a&state=b" };
const sql = sqlStorage(tenantMigrations) as SqlStorage;

it("counts an answer from a second on, for ten minutes", async () => {
  const key = await ticketKey("acme", async () => rawTicketKey(sql));
  const ticket = await makeTicket(key, question, NOW);
  const at = (passed: number) => checkTicket(key, question, ticket, NOW + passed);
  for (const early of [-5000, 0, 1, 999]) expect(await at(early)).toEqual({ ok: false, again: "early" });
  for (const good of [1000, 599_999, 600_000]) expect(await at(good)).toEqual({ ok: true });
  expect(await at(600_001)).toEqual({ ok: false, again: "late" });
});

it("takes no ticket of another page, session or question, and none that was made up", async () => {
  const key = await ticketKey("acme", async () => rawTicketKey(sql));
  const ticket = await makeTicket(key, question, NOW);
  const check = (asked: Question, text = ticket) => checkTicket(key, asked, text, NOW + 5000);
  expect(await check(question)).toEqual({ ok: true });
  const [time, mac] = ticket.split(".") as [string, string];
  for (const other of [
    { page: "account" },
    { session: "s2" },
    { session: null },
    { about: "client_id=a&state=c" },
    { about: "" },
  ] as Partial<Question>[])
    expect((await check({ ...question, ...other })).ok).toBe(false);
  for (const text of [
    "",
    ".",
    time,
    mac,
    `.${mac}`,
    `${NOW - 4000}.${mac}`,
    `${time}.${"A".repeat(43)}`,
    `${time}.${mac}A`,
    `+${ticket}`,
    `${time}e0.${mac}`,
    `${ticket}\n`,
    "9".repeat(400),
  ])
    expect(await check(question, text), text).toEqual({ ok: false, again: "late" });
});

it("keeps its key over restarts, and no two stores have the same", () => {
  const key = rawTicketKey(sql);
  expect(rawTicketKey(sql)).toEqual(key);
  expect(rawTicketKey(sqlStorage(tenantMigrations))).not.toEqual(key);
});

it("asks for the key of a tenant once", async () => {
  const ask = vi.fn(async () => rawTicketKey(sql));
  const key = await ticketKey("umbrella", ask);
  expect(await ticketKey("umbrella", ask)).toBe(key);
  expect(await ticketKey("other", ask)).not.toBe(key);
  expect(ask).toHaveBeenCalledTimes(2);
});
