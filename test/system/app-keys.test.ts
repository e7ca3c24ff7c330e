/** A symmetric app-specific key in a browser, with promise 2 for it. */

import type { Page } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bytesOf, violations } from "../chromium/rules.ts";
import { unwrapped } from "../chromium/unwrapped.ts";
import { scanBytes } from "../memory/index.ts";
import {
  needlesOf,
  readRows,
  sealFile,
  showFile,
  signIn,
  untilEnrolled,
  useSystemAndBrowser,
  watchKeys,
} from "./index.ts";

const { system, browsing } = useSystemAndBrowser({
  level: "master",
  settings: () => ({ appKeys: "AES-256" }),
  record: true,
});
const watched = watchKeys();
let page: Page;

beforeAll(async () => {
  ({ page } = await browsing.open());
  await signIn(page, system, "Ada");
  await untilEnrolled(page);
});
afterAll(() => watched.stop());

const links = () => unwrapped(browsing.recorder!.calls);

it("W1 in a browser: app-specific, master, account and data key, each symmetric and each unwrapped in the Worker", async () => {
  await sealFile(page, "letter.txt", "a letter under four symmetric keys");
  const kw = "AES-KW → AES-KW";
  expect(links()).toEqual(["RSA-OAEP → AES-KW", kw, kw, "AES-KW → HKDF"]);
  const rows = readRows(system.edgeDir, "app_keys");
  expect(rows).toHaveLength(1);
  await page.reload();
  expect(await showFile(page, "letter.txt")).toBe("a letter under four symmetric keys");
  // It lives in the vault's store: nobody made another.
  expect(readRows(system.edgeDir, "app_keys")).toEqual(rows);
});

it("Promise 2 keeps key bytes out of JavaScript where the app-specific key is symmetric", () => {
  const { calls, failures } = browsing.recorder!;
  expect(failures).toEqual([]);
  expect(violations(calls)).toEqual([]);
  const keys = needlesOf(watched.keys);
  expect(watched.ofClass("app-specific")).toHaveLength(1);
  expect(scanBytes(bytesOf(calls), keys, "calls")).toEqual([]);
});
