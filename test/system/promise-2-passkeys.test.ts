/** Promise 2 where instance keys are kept under a passkey (M4): the one exception that has a name, and nothing beside it. */

import { beforeAll, expect, it } from "vitest";
import { bytesOf, keepsInstanceKeys, passkeySecrets, violations } from "../chromium/rules.ts";
import { authenticator, enrolByPasskey, unlockButton } from "../documents/authenticator.ts";
import { needle, scanBytes } from "../memory/index.ts";
import { sealFile, showFile, signIn, untilEnrolled, useSystemAndBrowser } from "./index.ts";

const { system, browsing } = useSystemAndBrowser({ record: true });
let secrets: string[];

beforeAll(async () => {
  const { page } = await browsing.open();
  await signIn(page, system, "Ada");
  await untilEnrolled(page);
  await authenticator(page);
  await enrolByPasskey(page);
  await sealFile(page, "letter.txt", "a letter to nobody else");
  await page.reload();
  await unlockButton(page).click();
  await untilEnrolled(page);
  expect(await showFile(page, "letter.txt")).toBe("a letter to nobody else");
  secrets = passkeySecrets(browsing.recorder!.calls);
});

it("Promise 2 M4: beside making, wrapping and unlocking an instance's keys, no call breaks a rule", () => {
  const { calls, failures } = browsing.recorder!;
  expect(failures).toEqual([]);
  // The same salt at the enrolment and after the reload.
  expect(secrets).toHaveLength(1);
  expect(violations(calls, secrets)).toEqual([]);
  expect(violations(calls).length).toBeGreaterThan(0);
});

it("Promise 2 M4: each key that can be exported is made and wrapped once, and comes back as one that cannot", () => {
  const named = browsing.recorder!.calls.filter((call) => keepsInstanceKeys(call, secrets));
  const of = (method: string) => named.filter((call) => call.method === method);
  expect(of("generateKey")).toHaveLength(4);
  expect(of("wrapKey")).toHaveLength(4);
  expect(of("importKey")).toHaveLength(2);
  const back = browsing.recorder!.calls.filter(
    ({ method, args: [format] }) => method === "unwrapKey" && format === "pkcs8",
  );
  // Once when they were made, and once after the reload.
  expect(back).toHaveLength(8);
  for (const { result, error } of back)
    expect([result, error]).toEqual([{ key: expect.objectContaining({ extractable: false }) }, undefined]);
  // The Worker before the reload, and that after it.
  expect(new Set(named.map(({ target }) => target)).size).toBe(2);
});

it("Promise 2 M4: what the passkey gave goes from the vault's document to its Worker, and nowhere else", () => {
  const { calls } = browsing.recorder!;
  const elsewhere = calls.filter(
    (call) => !keepsInstanceKeys(call, secrets) && passkeySecrets([call]).length === 0,
  );
  const needles = secrets.map((hex) => needle("a passkey's secret", Buffer.from(hex, "hex")));
  expect(scanBytes(bytesOf(elsewhere), needles, "calls")).toEqual([]);
  expect(scanBytes(bytesOf(calls), needles, "calls")).not.toEqual([]);
});
