/** Account keys that are RSA pairs, at level `master` in a browser: the claims' combination of kinds (A2), and promise 2 for it. */

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
  settings: () => ({ accountKeys: "RSA-3072" }),
  record: true,
});
const watched = watchKeys();
let page: Page;
/** What is asked of the vault's origin for instances, in order. */
const asked: string[] = [];

beforeAll(async () => {
  const opened = await browsing.open();
  ({ page } = opened);
  opened.context.on("request", (request) => {
    const { origin, pathname } = new URL(request.url());
    const named = pathname.replace(/[\da-f]{8}-[\da-f-]{27}/g, "…").replace(/…\.\d+$/, "KI");
    if (origin === system.vaultOrigin && pathname.startsWith("/instances/")) asked.push(named.slice(11));
  });
  // Had ahead, Enc(data) and Enc(account) would not be asked for when data comes.
  await opened.context.route("**/instances/accounts/*/data-keys", (route) => route.abort());
  await signIn(page, system, "Ada");
  await untilEnrolled(page);
});
afterAll(() => watched.stop());

const links = () => unwrapped(browsing.recorder!.calls);

it("A2 in a browser: data AES, account RSA, master AES, app-specific RSA, all unwrapped in the Worker in turn; then it encrypts", async () => {
  expect(asked.slice(0, 2)).toEqual(["token", "master-key"]);
  await expect.poll(() => asked).toContain("accounts/…/data-keys");
  asked.length = 0;
  const from = browsing.recorder!.calls.length;
  await sealFile(page, "letter.txt", "a letter under a pair");
  expect(asked[0]).toBe("key-identifiers");
  expect(asked.slice(1).sort()).toEqual(["accounts/…/data-keys/KI", "accounts/…/key"]);
  expect(links()).toEqual(["RSA-OAEP → AES-GCM", "AES-GCM → RSA-OAEP", "RSA-OAEP → HKDF"]);
  const worker = browsing
    .recorder!.calls.slice(from)
    .filter(({ realm, error }) => realm === "worker" && !error)
    .map(({ method }) => method);
  expect(worker.indexOf("encrypt")).toBeGreaterThan(worker.lastIndexOf("unwrapKey"));
  const [row] = readRows(system.edgeDir, "account_keys");
  expect(row).toMatchObject({ public_key: expect.objectContaining({ length: 422 }) });
  expect(await showFile(page, "letter.txt")).toBe("a letter under a pair");
});

it("Promise 2 keeps key bytes out of JavaScript where account keys are pairs", () => {
  const { calls, failures } = browsing.recorder!;
  expect(failures).toEqual([]);
  expect(violations(calls)).toEqual([]);
  expect(watched.ofClass("account").length).toBeGreaterThan(0);
  expect(watched.ofClass("data").length).toBeGreaterThan(0);
  const keys = needlesOf(watched.keys);
  expect(scanBytes(bytesOf(calls), keys, "calls")).toEqual([]);
});
