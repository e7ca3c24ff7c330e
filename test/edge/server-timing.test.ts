/** What an answer tells of the steps that were taken for it (`Server-Timing`), against what the HSM has logged. */

import { expect, it } from "vitest";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem, send } from "../support/http.ts";
import { kmsOperations, operationsOf, useSystem } from "../system/index.ts";

const system = useSystem();
const FORM = /^gateway;dur=\d+(, [a-z]+-[a-z]+;dur=\d+;desc="[\w* ]+")*$/;

it("tells who was asked for what, and each operation of the HSM as it has logged them; and no id", async () => {
  const ada = await EdgeClient.signedIn(system, "Ada");
  const order = { account: ada.account, count: 3, purpose: "document" };
  // Names are looked up once, and so is who the HSM is.
  expect((await ada.rest("POST", "/kms/data-keys", order)).status).toBe(201);
  const before = await kmsOperations(system);
  const answer = await ada.rest("POST", "/kms/data-keys", order);
  const timing = answer.headers["server-timing"] ?? "";
  expect(timing).toMatch(FORM);
  const steps = [...timing.matchAll(/(\w+)-(\w+);dur=\d+;desc="([^"]+)"/g)].map(([, from, to, what]) => [
    from,
    to,
    what,
  ]);
  expect(steps.slice(0, 3).map(([from, to, what]) => `${from} ${to} ${what}`)).toEqual(
    expect.arrayContaining(["gateway kms dataKeys", "kms iam accountKey"]),
  );
  const told = steps.filter(([, to]) => to === "hsm").flatMap(([, , what]) => operationsOf(what ?? ""));
  expect(told.length).toBeGreaterThan(5);
  expect(told).toEqual((await kmsOperations(system)).slice(before.length));
  for (const id of [ada.account, ...json<{ edks: string[] }>(answer).edks]) expect(timing).not.toContain(id);
  expect(timing).not.toMatch(/[\da-f]{8}-/);
});

it("tells nothing of what is refused, of pages and of files", async () => {
  const ada = await EdgeClient.signedIn(system, "Ada");
  const mallory = await EdgeClient.signedIn(system, "Mallory");
  const order = { account: ada.account, count: 1, purpose: "document" };
  const refused = await mallory.rest("POST", "/kms/data-keys", order);
  expect(problem(refused)).toBe("403 forbidden");
  const others = [
    refused,
    await send(`${ada.app}/`),
    await send(`${ada.app}/openapi.json`),
    await send(`${ada.app}/accounts`),
    await send(`${ada.vault}/authorize?${await ada.query("x")}`),
  ];
  for (const { headers } of others) expect(headers["server-timing"]).toBeUndefined();
  expect((await ada.rest("GET", ada.documents)).headers["server-timing"]).toMatch(FORM);
});
