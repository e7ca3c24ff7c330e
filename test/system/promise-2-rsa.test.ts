/** Promise 2 where the engine has no ML-KEM: at level `data` every key then comes by RSA-OAEP, in each way of loading. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { bytesOf, violations } from "../chromium/rules.ts";
import { scanBytes } from "../memory/index.ts";
import { needlesOf, sealFile, showFile, signIn, useSystemAndBrowser, watchKeys } from "./index.ts";
import { loadBySeeds, loadInOtherWays } from "./loading.ts";

const { system, browsing } = useSystemAndBrowser({ record: true, lacking: ["decapsulateKey"] });
const watched = watchKeys();

beforeAll(async () => {
  const { page } = await browsing.open();
  await signIn(page, system, "Ada");
  await sealFile(page, "letter.txt", "a letter to nobody else");
  await page.reload();
  expect(await showFile(page, "letter.txt")).toBe("a letter to nobody else");
  // A grant over a channel, several keys in one rewrap, entrusted ones, and those that the KMS retains.
  const loaded = await loadInOtherWays(page, system, false);
  expect([loaded.opened.length, loaded.brought.length, loaded.retained.length]).toEqual([4, 2, 4]);
  expect((await loadBySeeds(page, system)).opened).toHaveLength(3);
});
afterAll(() => watched.stop());

it("Promise 2 by RSA-OAEP: every SubtleCrypto call of page, vault and Worker keeps key bytes out of JavaScript", () => {
  const { calls, failures } = browsing.recorder!;
  expect(failures).toEqual([]);
  expect(violations(calls)).toEqual([]);
});

it("Promise 2 by RSA-OAEP: no argument and no result of any call, and no message, holds a key of the hierarchy", () => {
  const keys = needlesOf(watched.keys.filter(({ keyClass }) => keyClass !== "seed"));
  expect(watched.ofClass("data").length).toBeGreaterThan(0);
  const recorded = bytesOf(browsing.recorder!.calls);
  expect(recorded.length).toBeGreaterThan(5_000);
  expect(scanBytes(recorded, keys, "calls")).toEqual([]);
});

it("Promise 2 by RSA-OAEP: each data key was unwrapped in the Worker by a key that does nothing else, into one that derives", () => {
  const crypto = browsing.recorder!.crypto().filter(({ error }) => !error);
  expect(crypto.filter(({ method }) => method === "decapsulateKey")).toEqual([]);
  const unwrapped = crypto.filter(({ method }) => method === "unwrapKey");
  // Sealed, opened after the reload, four in other ways, two of them brought twice, four retained, and those of the kit and of seeds.
  expect(unwrapped.length).toBeGreaterThan(12);
  const shown = unwrapped.map(({ realm, args: [, , by, algorithm], result }) => ({
    realm,
    by,
    algorithm,
    result,
  }));
  for (const one of shown)
    expect(one).toMatchObject({
      realm: "worker",
      algorithm: "RSA-OAEP",
      by: { key: { extractable: false, usages: ["unwrapKey"] } },
      result: { key: { extractable: false, algorithm: { name: "HKDF" }, usages: ["deriveKey"] } },
    });
});
