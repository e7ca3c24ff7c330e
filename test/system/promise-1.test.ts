/** Promise 1, blind edge: no plaintext key byte exists in the edge worker, in any flow. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  canReadMemory,
  needle,
  scanBytes,
  scanDirectory,
  scanProcess,
  watchMemory,
} from "../memory/index.ts";
import { skipTest } from "../support/missing.ts";
import {
  needlesOf,
  sealFile,
  showFile,
  signIn,
  useSystemAndBrowser,
  watchKeys,
  watchTraffic,
} from "./index.ts";
import { loadBySeeds, loadInOtherWays } from "./loading.ts";

const { system, browsing } = useSystemAndBrowser();
/** What the scans of workerd's memory found while documents were sealed and opened; null where it cannot be read. */
let seen: Awaited<ReturnType<ReturnType<typeof watchMemory>["stop"]>> | null = null;
const traffic = watchTraffic();
const watched = watchKeys();

beforeAll(async () => {
  const watch = canReadMemory(system.pid) ? watchMemory(system.pid) : null;
  const keys = watchKeys((key) => watch?.add(needle(`${key.keyClass} key`, key.bytes)));
  const { page } = await browsing.open();
  await signIn(page, system, "Ada");
  await sealFile(page, "first.txt", "the first document");
  await sealFile(page, "second.txt", "the second document");
  expect(await showFile(page, "first.txt")).toBe("the first document");
  // Cold: the key ring is empty after a reload, so the key is rewrapped once more.
  await page.reload();
  expect(await showFile(page, "second.txt")).toBe("the second document");
  // A grant over a channel, and several keys in one rewrap.
  expect((await loadInOtherWays(page, system)).opened).toHaveLength(4);
  // Of a seed, which is sealed to the HSM.
  expect((await loadBySeeds(page, system)).opened).toHaveLength(3);
  keys.stop();
  seen = watch && (await watch.stop());
  await page.close();
});
afterAll(async () => {
  traffic.stop();
  watched.stop();
});

const needles = () => needlesOf(watched.keys);
const account = () => watched.ofClass("account");
const data = () => watched.ofClass("data");

describe("Promise 1: blind edge", () => {
  it("Promise 1: the scans know the keys that the HSM held meanwhile", () => {
    expect(account().length, "account keys").toBeGreaterThan(0);
    expect(data().length, "data keys").toBeGreaterThan(1);
  });

  it("Promise 1 M9: the scans know seeds, salts and what is derived of them", () => {
    for (const keyClass of ["seed", "seed-salt", "seed-stretched", "seed-hmac", "seed-channel"] as const)
      expect(watched.ofClass(keyClass).length, keyClass).toBeGreaterThan(0);
  });

  it("Promise 1: the memory of workerd holds no data, account or master key while documents are sealed and opened", (context) => {
    if (!seen) return skipTest(context, "the memory of workerd cannot be read here");
    expect(seen.findings).toEqual([]);
    expect(seen.passes, "passes over the memory during and after the flow").toBeGreaterThan(2);
    expect(seen.scanned).toBeGreaterThan(50_000_000);
    expect(scanProcess(system.pid, needles()).findings).toEqual([]);
  });

  it("Promise 1: the KMIP traffic holds none", () => {
    expect(scanBytes(traffic.bytes(), needles(), "KMIP")).toEqual([]);
    expect(traffic.messages.length).toBeGreaterThan(10);
  });

  it("Promise 1: Durable Objects and R2 hold none", () => {
    const { findings, files, scanned } = scanDirectory(system.dir, needles());
    expect(findings).toEqual([]);
    expect(files.filter((file) => file.endsWith(".sqlite")).length, "databases").toBeGreaterThan(4);
    expect(scanned).toBeGreaterThan(100_000);
  });

  it("Promise 1: the log holds none", () => {
    expect(scanBytes(Buffer.from(system.log()), needles(), "log")).toEqual([]);
  });

  it("Promise 1: the same scans find a data key that is planted (positive control)", async (context) => {
    if (!canReadMemory(system.pid)) return skipTest(context, "the memory of workerd cannot be read here");
    const [key] = data();
    const planted = needle("planted", key!.bytes);
    const url = `${system.running.edge.url}/accounts/a/documents`;
    for (const body of [
      Buffer.from(key!.bytes),
      Buffer.from(key!.bytes).toString("base64url"),
      Buffer.from(key!.bytes).toString("hex"),
    ]) {
      const response = await fetch(url, {
        method: "POST",
        body,
        headers: { "x-planted": Buffer.from(key!.bytes).toString("base64url") },
      });
      await response.body?.cancel();
    }
    const { findings } = scanProcess(system.pid, [planted]);
    expect(findings.length).toBeGreaterThan(0);
    const clear = scanBytes(Buffer.concat([traffic.bytes(), key!.bytes]), [planted]);
    expect(clear).toHaveLength(1);
  });
});
