/** Dumps of all stores after an application server at level `master` has sealed a document: what tests of dumps begin with. */

import { createPrivateKey, type KeyObject } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { PASSPHRASE, serve } from "../support/served.ts";
import type { System } from "../support/start.ts";
import { Dumps } from "./operators.ts";

export const SECRET = "what no operator may read";

type More = Parameters<typeof serve>[3];

/** Has a server whose files are in `dir` seal a text, and open it. Its account. */
export async function sealServed(system: System, dir: string, text: string, more?: More): Promise<string> {
  const { client, account, upload, download } = await serve(system, dir, [], more);
  const id = crypto.randomUUID();
  expect((await upload(id, text)).status).toBe(201);
  expect(await (await download(id)).text()).toBe(text);
  client.close();
  return account;
}

/** The app-specific key of the server whose files are in `dir`, for whoever has the file and its passphrase. */
export function appKeyIn(dir: string): KeyObject {
  const key = readFileSync(join(dir, "app-specific-key.pem"), "utf8");
  return createPrivateKey({ key, passphrase: PASSPHRASE });
}

/** Of a server that has sealed SECRET, for the tests of one file. `more`: of its instance, by its folder. */
export function useServedDumps(system: System, more?: (dir: string) => More) {
  const dir = mkdtempSync(join(tmpdir(), "coffer-server-"));
  let dumps: Dumps | undefined;
  let account: string | undefined;
  beforeAll(async () => {
    account = await sealServed(system, dir, SECRET, more?.(dir));
    dumps = await Dumps.take(system, [dir]);
  });
  afterAll(() => {
    dumps?.remove();
    rmSync(dir, { recursive: true, force: true });
  });
  const served = {
    get dumps(): Dumps {
      if (!dumps) throw new Error("no dumps were taken");
      return dumps;
    },
    get account(): string {
      if (account === undefined) throw new Error("nothing was sealed");
      return account;
    },
    /** What opens with all that these operators have, and with their live certificates. */
    opened: async (...names: string[]) => (await served.dumps.lootOfLive(...names)).open(),
    appKey: () => appKeyIn(dir),
  };
  return served;
}
