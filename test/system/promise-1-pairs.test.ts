/** Promise 1 where account keys are RSA pairs: no key byte of the hierarchy in the edge, of the private half neither. */

import { afterAll, beforeAll, expect, it } from "vitest";
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

const settings = () => ({ accountKeys: "RSA-3072" }) as const;
const { system, browsing } = useSystemAndBrowser({ settings });
/** What the scans of workerd's memory found meanwhile; null where it cannot be read. */
let seen: Awaited<ReturnType<ReturnType<typeof watchMemory>["stop"]>> | null = null;
const traffic = watchTraffic();
const watched = watchKeys();

beforeAll(async () => {
  const watch = canReadMemory(system.pid) ? watchMemory(system.pid) : null;
  const keys = watchKeys((key) => watch?.add(needle(`${key.keyClass} key`, key.bytes)));
  const { page } = await browsing.open();
  await signIn(page, system, "Ada");
  await sealFile(page, "first.txt", "the first document");
  // Cold: the key ring is empty after a reload, so the key is rewrapped once more.
  await page.reload();
  expect(await showFile(page, "first.txt")).toBe("the first document");
  keys.stop();
  seen = watch && (await watch.stop());
  await page.close();
});
afterAll(() => {
  traffic.stop();
  watched.stop();
});

const needles = () => needlesOf(watched.keys);

it("Promise 1 with pairs: KMIP traffic, Durable Objects, R2 and the log hold no key of the hierarchy", () => {
  // Of a private half one of its primes.
  expect(watched.ofClass("account").map(({ bytes }) => bytes.length)).toContain(192);
  expect(watched.ofClass("data").length).toBeGreaterThan(0);
  expect(scanBytes(traffic.bytes(), needles(), "KMIP")).toEqual([]);
  expect(scanDirectory(system.dir, needles()).findings).toEqual([]);
  expect(scanBytes(Buffer.from(system.log()), needles(), "log")).toEqual([]);
  const [pair] = watched.ofClass("account");
  const planted = needle("planted", pair!.bytes);
  expect(scanBytes(Buffer.concat([traffic.bytes(), pair!.bytes]), [planted])).toHaveLength(1);
});

it("Promise 1 with pairs: the memory of workerd holds none while documents are sealed and opened", (context) => {
  if (!seen) return skipTest(context, "the memory of workerd cannot be read here");
  expect(seen.findings).toEqual([]);
  expect(seen.scanned).toBeGreaterThan(50_000_000);
  expect(scanProcess(system.pid, needles()).findings).toEqual([]);
});
