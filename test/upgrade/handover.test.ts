/**
 * An account that had much in the folder of 783953a comes to its own objects while workerd is killed again and again: what
 * it had is there once each afterwards, and nowhere else.
 */

import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect, it } from "vitest";
import type { DocumentPage } from "#protocol/contract/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json } from "../support/http.ts";
import { changeRows, readRows, useSystem } from "../system/index.ts";
import { ONE_OBJECT, unpackFolder } from "./folder.ts";

const { live } = ONE_OBJECT;
const MANY = 6000;
const TABLES = ["documents", "data_keys"] as const;
/** Ids that the account had in each table. */
const had = new Map<string, string[]>();

const idsOf = (dir: string, table: string) =>
  readRows(dir, table)
    .filter(({ account }) => account === live.account)
    .map(({ id }) => String(id))
    .toSorted();

const system = useSystem({
  prepare(dir) {
    unpackFolder("783953a", dir);
    const edge = join(dir, "edge");
    // Else the sweep takes the upload that the folder has for abandoned, once the account has come.
    changeRows(edge, "documents", `UPDATE documents SET touched = ${Date.now()} WHERE state = 'pending'`);
    for (const table of TABLES) {
      const own = readRows(edge, table).find(
        ({ account, state }) => account === live.account && state !== "pending",
      )!;
      const copies = Array.from({ length: MANY }, () => ({ ...own, id: randomUUID() }));
      const values = copies.map((row) => `(${Object.values(row).map(literal).join()})`);
      changeRows(
        edge,
        table,
        `INSERT INTO ${table} (${Object.keys(own).join()}) SELECT * FROM (VALUES ${values.join()})
        WHERE EXISTS (SELECT 1 FROM ${table} WHERE account = '${live.account}')`,
      );
      had.set(table, idsOf(edge, table));
    }
  },
});

function literal(value: unknown): string {
  if (value === null) return "NULL";
  return typeof value === "number" ? String(value) : `'${String(value).replaceAll("'", "''")}'`;
}

/** What needs all of the account's documents and data keys. */
async function ask(client: EdgeClient): Promise<DocumentPage> {
  const wanted = { account: client.account, count: 1, purpose: "document" };
  const [list, made] = await Promise.all([
    client.rest("GET", client.documents),
    client.rest("POST", "/kms/data-keys", wanted),
  ]);
  expect([list.status, made.status]).toEqual([200, 201]);
  return json<DocumentPage>(list);
}

it("is there once each, and forgotten where it was", async () => {
  for (const after of [30, 80, 150]) {
    const client = await EdgeClient.signedIn(system, live.user);
    const asked = ask(client).catch(() => undefined);
    await pause(after);
    process.kill(system.pid, "SIGKILL");
    await asked;
    await system.restart();
  }
  const client = await EdgeClient.signedIn(system, live.user);
  expect((await ask(client)).documents).toHaveLength(Math.min(500, had.get("documents")!.length));
  const left = () =>
    readRows(system.edgeDir, "documents").filter(({ account }) => account === live.account).length;
  // While both have them each is there twice.
  await expect.poll(left, { timeout: 90_000, interval: 1000 }).toBe(had.get("documents")!.length);
  expect(idsOf(system.edgeDir, "documents")).toEqual(had.get("documents"));
  const keys = () => idsOf(system.edgeDir, "data_keys").filter((id) => had.get("data_keys")!.includes(id));
  await expect
    .poll(() => keys().length, { timeout: 90_000, interval: 1000 })
    .toBe(had.get("data_keys")!.length);
  expect(keys()).toEqual(had.get("data_keys"));
}, 400_000);
