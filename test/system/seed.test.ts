/** M9 in Chromium and in Node: a seed gives the same data key again, and documents open with it, after the HSM's database was restored too. */

import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { connect } from "#cli/client.ts";
import { openEnrolled, useSystemAndBrowser } from "./index.ts";
import { loadBySeeds } from "./loading.ts";

const running = useSystemAndBrowser();
const { system } = running;
const SEED = "a passphrase that nobody guesses";

async function client(user = "Ann") {
  const { appOrigin: app, vaultOrigin: vault } = system;
  return connect({ app, vault, rootKey: new Uint8Array(system.running.rootKey), user });
}

it("M9 in Chromium: keys come from a passphrase, bytes and a file; documents seal and open with them, in another instance by the seed alone", async () => {
  const page = await openEnrolled(running, "Ada");
  const { opened, before, wrong, empty, aborted, read, again } = await loadBySeeds(page, system);
  expect(opened).toEqual(["by a passphrase", "by bytes", "by a file"]);
  expect(before).toBe("seed-needed");
  expect(wrong).toBe("seed-refused");
  expect(empty).toBe("seed-refused");
  expect(aborted).toBe("stopped");
  expect(read).toEqual([1 << 20, 2 << 20, (2 << 20) + 5]);
  expect(again).toBe("by a passphrase");
});

it("M9 in Node: the key is the same after the HSM's database was restored from a backup, and documents open", async () => {
  const hsm = join(system.dir, "hsm");
  const backup = join(system.dir, "backup-of-the-hsm");
  const first = await client();
  const [key, other] = (await first.loadBySeed(SEED, { labels: ["", "other"] })) as [string, string];
  const seal = async (text: string, key: string) =>
    (await first.documents.seal(new Blob([text]), first.account(), { name: `${text}.txt`, key })).id;
  const ids = [await seal("under the seed", key), await seal("under its other key", other)];
  first.close();
  await system.restart(() => cpSync(hsm, backup, { recursive: true }));
  // What came after the backup is lost with it.
  const between = await client();
  await between.loadBySeed("another passphrase altogether");
  between.close();
  await system.restart(() => {
    rmSync(hsm, { recursive: true });
    cpSync(backup, hsm, { recursive: true });
  });
  const later = await client();
  const open = async (id: string) => {
    const { blob } = await later.documents.open(id);
    return (await blob()).text();
  };
  await expect(open(ids[0]!)).rejects.toMatchObject({ code: "seed-needed" });
  const wrong = later.loadBySeed(`${SEED}!`, { document: ids[0]! });
  await expect(wrong).rejects.toMatchObject({ code: "seed-refused" });
  for (const document of ids) await later.loadBySeed(SEED, { document });
  expect(await open(ids[0]!)).toBe("under the seed");
  expect(await open(ids[1]!)).toBe("under its other key");
  later.close();
}, 120_000);
