/**
 * An account that was only in objects of a whole tenant (783953a) is shredded as the first thing that is done with it: nothing of
 * it comes over afterwards, and nothing of it is left there.
 */

import { join } from "node:path";
import { expect, it, vi } from "vitest";
import type { DocumentPage } from "#protocol/contract/index.ts";
import { answerOf, callDoor, callerOf, withDoors } from "../support/doors.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { changeRows, readRows, useSystem } from "../system/index.ts";
import { ONE_OBJECT, unpackFolder } from "./folder.ts";

vi.mock("#cli/parts/index.ts", async (original) => withDoors(await original()));

const { live } = ONE_OBJECT;
/** Somebody else with documents, who is made a member of the account too. */
const other = Object.keys(ONE_OBJECT.sealed.development).find((name) => name !== live.user)!;
const system = useSystem({
  prepare(dir) {
    unpackFolder("783953a", dir);
    const member = `INSERT INTO members SELECT id, '${live.account}' FROM users
      WHERE name = '${other}' AND EXISTS (SELECT 1 FROM accounts WHERE id = '${live.account}')`;
    expect(changeRows(join(dir, "edge"), "users", member)).toBe(1);
  },
});

const ofAccount = (table: string, account: string) =>
  readRows(system.edgeDir, table).filter((row) => row.account === account).length;
const keysInBucket = (account: string) =>
  readRows(system.edgeDir, "_mf_objects").filter(({ key }) => String(key).includes(account)).length;
const TABLES = ["documents", "data_keys", "account_keys", "members", "memberships"];

it("takes along what an earlier release kept of it, and leaves the others what they have", async () => {
  const others = () => ({
    documents: readRows(system.edgeDir, "documents").filter(({ account }) => account !== live.account).length,
    keys: readRows(system.edgeDir, "data_keys").filter(({ account }) => account !== live.account).length,
    objects: readRows(system.edgeDir, "_mf_objects").filter(({ key }) => !String(key).includes(live.account))
      .length,
  });
  const before = others();
  expect(before.documents).toBeGreaterThan(0);
  expect(keysInBucket(live.account)).toBeGreaterThan(0);
  const client = await EdgeClient.signedIn(system, live.user);
  expect(client.account).toBe(live.account);
  expect(
    await answerOf(
      callDoor(system, "IAM.scheduleDeletion", callerOf(client), live.account, { immediately: true }),
    ),
  ).toBe("ok");
  expect(problem(await client.rest("GET", client.documents))).toBe("403 forbidden");
  await expect.poll(() => keysInBucket(live.account), { timeout: 60_000 }).toBe(0);
  for (const table of TABLES)
    await expect.poll(() => ofAccount(table, live.account), { timeout: 60_000 }).toBe(0);
  expect(others()).toEqual(before);

  await system.restart();
  const again = await EdgeClient.signedIn(system, live.user);
  expect(again.tokens.accounts).toEqual([]);
  expect(problem(await again.rest("GET", `/accounts/${live.account}/documents`))).toBe("403 forbidden");
  for (const table of TABLES) expect(ofAccount(table, live.account), table).toBe(0);

  // A member who comes for the first time now never hears of it.
  const late = await EdgeClient.signedIn(system, other);
  expect(late.tokens.accounts.map(({ id }) => id)).not.toContain(live.account);
  expect(late.tokens.accounts).toHaveLength(1);
  expect(problem(await late.rest("GET", `/accounts/${live.account}/documents`))).toBe("403 forbidden");
  expect(json<DocumentPage>(await late.rest("GET", late.documents)).documents).not.toEqual([]);
});
