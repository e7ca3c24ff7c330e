/** An upload that was under way when the folder of 783953a was stopped goes on at its account's own object. */

import { join } from "node:path";
import { expect, it } from "vitest";
import { MIN_PART } from "#protocol/contract/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { changeRows, readRows, useSystem } from "../system/index.ts";
import { ONE_OBJECT, unpackFolder } from "./folder.ts";

const { live } = ONE_OBJECT;
type Part = { part: number; etag: string; size: number };
let parts: Part[];

const system = useSystem({
  prepare(dir) {
    unpackFolder("783953a", dir);
    // It was left more than a day ago, for which the sweep takes it for abandoned.
    const touched = `UPDATE documents SET touched = ${Date.now()} WHERE state = 'pending'`;
    changeRows(join(dir, "edge"), "documents", touched);
    parts = (readRows(join(dir, "edge"), "parts") as (Part & { document: string })[])
      .filter(({ document }) => document === live.upload)
      .map(({ part, etag, size }) => ({ part, etag, size }));
  },
});

/** Objects that have a row of the upload. */
const holders = () => readRows(system.edgeDir, "documents").filter(({ id }) => id === live.upload);

it("takes a part, is completed with those of before, and is forgotten where it was", async () => {
  const client = await EdgeClient.signedIn(system, live.user);
  expect(client.account).toBe(live.account);
  const at = `${client.documents}/${live.upload}`;
  expect(problem(await client.rest("GET", `${at}/content`))).toBe("409 conflict");
  // The one before the last is too small to stay; the last is in the bucket since.
  const first = new Uint8Array(MIN_PART).fill(7);
  const sent = json<Part>(await client.rest("PUT", `${at}/parts/1`, first));
  expect((await client.rest("PUT", `${at}/metadata`, new Uint8Array(300))).status).toBe(204);
  const [, before] = parts;
  const size = first.length + before!.size;
  const claimed = [sent, { part: 2, etag: before!.etag }];
  expect((await client.rest("POST", `${at}/complete`, { parts: claimed, size })).status).toBe(200);
  const { bytes } = await client.rest("GET", `${at}/content`);
  expect([bytes.length, bytes.subarray(0, first.length).equals(first)]).toEqual([size, true]);
  await expect.poll(() => holders().length, { timeout: 60_000 }).toBe(1);
  await system.restart();
  expect((await client.rest("GET", `${at}/content`)).bytes.length).toBe(size);
});
