/** A master key and account keys that are RSA pairs, at level `master` in a browser, with promises 1 and 2 for them. */

import type { Page } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bytesOf, violations } from "../chromium/rules.ts";
import { unwrapped } from "../chromium/unwrapped.ts";
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
  readRows,
  sealFile,
  showFile,
  signIn,
  untilEnrolled,
  useSystemAndBrowser,
  watchKeys,
  watchTraffic,
} from "./index.ts";

const { system, browsing } = useSystemAndBrowser({
  level: "master",
  masterKey: "RSA-3072",
  settings: () => ({ accountKeys: "RSA-3072" }),
  record: true,
});
const watched = watchKeys();
let page: Page;
const traffic = watchTraffic();

/** Scans of workerd's memory from before anybody signs in; null where it cannot be read. */
let memory: ReturnType<typeof watchMemory> | null = null;
let later: ReturnType<typeof watchKeys> | undefined;

beforeAll(async () => {
  memory = canReadMemory(system.pid) ? watchMemory(system.pid) : null;
  for (const { keyClass, bytes } of watched.keys) memory?.add(needle(`${keyClass} key`, bytes));
  later = watchKeys(({ keyClass, bytes }) => memory?.add(needle(`${keyClass} key`, bytes)));
  ({ page } = await browsing.open());
  await signIn(page, system, "Ada");
  await untilEnrolled(page);
});
afterAll(() => {
  later?.stop();
  watched.stop();
  traffic.stop();
});

const links = () => unwrapped(browsing.recorder!.calls);

it("W1 in a browser: data AES, account RSA, master RSA, app-specific RSA, all unwrapped in the Worker in turn; then it encrypts", async () => {
  const from = browsing.recorder!.calls.length;
  await sealFile(page, "letter.txt", "a letter under two pairs");
  const [cek, pair] = ["RSA-OAEP → AES-GCM", "AES-GCM → RSA-OAEP"];
  expect(links()).toEqual([cek, pair, cek, pair, "RSA-OAEP → HKDF"]);
  const worker = browsing
    .recorder!.calls.slice(from)
    .filter(({ realm, error }) => realm === "worker" && !error)
    .map(({ method }) => method);
  expect(worker.indexOf("encrypt")).toBeGreaterThan(worker.lastIndexOf("unwrapKey"));
  const [row] = readRows(system.edgeDir, "account_keys");
  expect((row as { wrapped: Uint8Array }).wrapped.length).toBeGreaterThan(2180);
  await page.reload();
  expect(await showFile(page, "letter.txt")).toBe("a letter under two pairs");
});

/** Of a private half one of its primes. */
const inTheClear = () => needlesOf(watched.keys);

it("Promise 2 keeps key bytes out of JavaScript where the master key is a pair", () => {
  const { calls, failures } = browsing.recorder!;
  expect(failures).toEqual([]);
  expect(violations(calls)).toEqual([]);
  for (const keyClass of ["master", "account", "data", "cek", "master-cek"] as const)
    expect(watched.ofClass(keyClass).length, keyClass).toBeGreaterThan(0);
  expect(watched.ofClass("master").map(({ bytes }) => bytes.length)).toContain(192);
  expect(scanBytes(bytesOf(calls), inTheClear(), "calls")).toEqual([]);
});

it("Promise 1 with a master key that is a pair: KMIP traffic, Durable Objects, R2 and the log hold no key of the hierarchy", () => {
  expect(scanBytes(traffic.bytes(), inTheClear(), "KMIP")).toEqual([]);
  expect(scanDirectory(system.dir, inTheClear()).findings).toEqual([]);
  expect(scanBytes(Buffer.from(system.log()), inTheClear(), "log")).toEqual([]);
  const [pair] = watched.ofClass("master");
  const planted = needle("planted", pair!.bytes);
  expect(scanBytes(Buffer.concat([traffic.bytes(), pair!.bytes]), [planted])).toHaveLength(1);
});

it("Promise 1 with a master key that is a pair: the memory of workerd holds no key of the hierarchy while documents are sealed and opened", async (context) => {
  if (!memory) return skipTest(context, "the memory of workerd cannot be read here");
  expect(watched.ofClass("master").map(({ bytes }) => bytes.length)).toContain(192);
  const seen = await memory.stop();
  expect(seen.findings).toEqual([]);
  expect(seen.scanned).toBeGreaterThan(50_000_000);
  expect(scanProcess(system.pid, inTheClear()).findings).toEqual([]);
});
