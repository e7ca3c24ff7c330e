/** Data keys that are RSA pairs, at level `master` in a browser, below pairs of accounts: the links, and promise 2 for them. */

import type { Page } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bytesOf, violations } from "../chromium/rules.ts";
import { unwrapped } from "../chromium/unwrapped.ts";
import { scanBytes } from "../memory/index.ts";
import {
  needlesOf,
  sealFile,
  showFile,
  signIn,
  untilEnrolled,
  useSystemAndBrowser,
  watchKeys,
} from "./index.ts";

const { system, browsing } = useSystemAndBrowser({
  level: "master",
  settings: () => ({ accountKeys: "RSA-3072", dataKeys: "RSA-3072" }),
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

const called = () => browsing.recorder!.calls.filter(({ realm, error }) => realm === "worker" && !error);

it("W1 in a browser: data RSA, account RSA, master AES: the pair is made, and each message opens by a secret of its own", async () => {
  await sealFile(page, "letter.txt", "a letter under a pair of its account's");
  const made = called().filter(({ method, args }) => {
    return method === "generateKey" && (args[0] as { name?: string }).name === "RSA-OAEP" && args[1] === true;
  });
  expect(made).toHaveLength(1);
  const from = browsing.recorder!.calls.length;
  await page.reload();
  await untilEnrolled(page);
  expect(await showFile(page, "letter.txt")).toBe("a letter under a pair of its account's");
  const links = unwrapped(browsing.recorder!.calls.slice(from));
  // The master key unwraps the account's private half, that a content-encryption key and the data key's, and that secrets.
  expect(links).toEqual(
    expect.arrayContaining(["AES-GCM → RSA-OAEP", "RSA-OAEP → AES-GCM", "RSA-OAEP → HKDF"]),
  );
  expect(links.every((link) => !link.endsWith("exported"))).toBe(true);
});

it("Promise 2 with pairs of data keys: what could be exported as it was made is wrapped, and nothing else is done with it", () => {
  const { calls, failures } = browsing.recorder!;
  expect(failures).toEqual([]);
  // Made here, a key has to be one that could be exported until it is wrapped (docs/threat-model.md); no other rule is broken.
  const broken = violations(calls).map(({ realm, method, rule }) => `${realm}, ${method}: ${rule}`);
  expect(new Set(broken)).toEqual(
    new Set([
      "worker, generateKey: generateKey made an extractable AES-GCM key",
      "worker, generateKey: generateKey made an extractable RSA-OAEP key",
      "worker, wrapKey: wrapKey gives key material to JavaScript",
    ]),
  );
  const secret = (value: unknown) => {
    const { key } = (typeof value === "object" && value !== null ? value : {}) as {
      key?: { type: string; extractable: boolean; algorithm: { name: string } };
    };
    return key !== undefined && key.type !== "public" && key.extractable && key.algorithm.name !== "HMAC";
  };
  const uses = called().filter(({ args }) => Object.values(args).some(secret));
  expect(new Set(uses.map(({ method }) => method))).toEqual(new Set(["wrapKey"]));
  const keys = needlesOf(watched.keys);
  expect(watched.ofClass("account").length).toBeGreaterThan(0);
  expect(scanBytes(bytesOf(calls), keys, "calls")).toEqual([]);
});
