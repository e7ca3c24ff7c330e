/** Level `account` in a browser: the vault's instance is given the account key, asks for the rest itself, and the page asks for no key. */

import type { Page } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bytesOf, violations } from "../chromium/rules.ts";
import { needle, scanBytes } from "../memory/index.ts";
import { sealFile, showFile, signIn, untilEnrolled, useSystemAndBrowser, watchKeys } from "./index.ts";

const { system, browsing } = useSystemAndBrowser({ level: "account", record: true });
const watched = watchKeys();
let page: Page;
/** What is asked of the vault's origin for instances, and of the app's for keys: in order. */
const asked: string[] = [];

beforeAll(async () => {
  const opened = await browsing.open();
  ({ page } = opened);
  opened.context.on("request", (request) => {
    const { origin, pathname } = new URL(request.url());
    const named = pathname.replace(/[\da-f]{8}-[\da-f-]{27}/g, "…").replace(/…\.\d+$/, "KI");
    if (origin === system.vaultOrigin && pathname.startsWith("/instances/")) asked.push(named.slice(11));
    // The version index is of documents, and whom they are shared with is of people: neither has a key.
    if (pathname.startsWith("/kms/") && !/\/(document-versions|shares)$/.test(pathname)) asked.push(named);
  });
  await signIn(page, system, "Ada");
  await untilEnrolled(page);
});
afterAll(() => watched.stop());

/** The links that the Worker unwrapped: by what, to what. */
const links = () =>
  browsing
    .recorder!.crypto()
    .filter(({ realm, method, error }) => realm === "worker" && method === "unwrapKey" && !error)
    .map(({ args }) =>
      [args[3], args[4]].map((named) => (named as { name?: string }).name ?? named).join(" → "),
    );

it("W4 in a browser at level account: KI, Enc(account) for this instance and Enc(data), then account and data key in turn, all in the Worker; then it encrypts", async () => {
  expect(asked).not.toContain("master-key");
  const from = browsing.recorder!.calls.length;
  await sealFile(page, "letter.txt", "a letter at level account");
  // What is fetched ahead, as it becomes known, it does not ask for again.
  expect(asked[0]).toBe("token");
  for (const path of ["key-identifiers", "account-key"])
    expect(asked.filter((one) => one === path)).toEqual([path]);
  expect(asked.filter((path) => path.startsWith("/kms/") || path === "accounts/…/key")).toEqual([]);
  expect(links()).toEqual(["RSA-OAEP → AES-KW", "AES-KW → HKDF"]);
  const worker = browsing
    .recorder!.calls.slice(from)
    .filter(({ realm, error }) => realm === "worker" && !error)
    .map(({ method }) => method);
  expect(worker.indexOf("encrypt")).toBeGreaterThan(worker.lastIndexOf("unwrapKey"));
});

it("W2 in a browser at level account: another start opens it by the EDK of its header, and asks for the account key alone", async () => {
  asked.length = 0;
  const from = links().length;
  await page.reload();
  await untilEnrolled(page);
  expect(await showFile(page, "letter.txt")).toBe("a letter at level account");
  expect(links().slice(from)).toEqual(["RSA-OAEP → AES-KW", "AES-KW → HKDF"]);
  // A token, what is had ahead, and the identifier of the key under which the page seals its list for the next start, are not for this.
  const beside = ["token", "accounts/…/data-keys", "key-identifiers"];
  expect(asked.filter((path) => !beside.includes(path))).toEqual(["account-key"]);
});

it("Promise 2 at level account: no key byte is in JavaScript, and no key can be exported", () => {
  const { calls, failures } = browsing.recorder!;
  expect(failures).toEqual([]);
  expect(violations(calls)).toEqual([]);
  // Enc(account) is what the Worker verifies before it unwraps.
  const inTheClear = watched.keys.filter(({ keyClass }) => keyClass !== "encrypted");
  for (const of of ["master", "account", "data"] as const)
    expect(watched.ofClass(of).length, of).toBeGreaterThan(0);
  const keys = inTheClear.map(({ keyClass, bytes }, index) => needle(`${keyClass} key ${index}`, bytes));
  expect(scanBytes(bytesOf(calls), keys, "calls")).toEqual([]);
  const [account] = watched.ofClass("account");
  const planted = Buffer.concat([bytesOf(calls), account!.bytes]);
  expect(scanBytes(planted, keys, "planted").length).toBeGreaterThan(0);
});
