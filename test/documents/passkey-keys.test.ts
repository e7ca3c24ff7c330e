/** M4: instance keys under a passkey, in Chromium with all real parts and authenticators of the DevTools protocol. */

import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Page } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ARGUMENTS, executablePath, LOCALE } from "../chromium/launch.ts";
import {
  openEnrolled,
  sealFile,
  showFile,
  signIn,
  untilEnrolled,
  useSystemAndBrowser,
  withKit,
} from "../system/index.ts";
import {
  authenticator,
  enrolByPasskey,
  openVaults,
  unlockButton,
  unlocking,
  withoutButton,
} from "./authenticator.ts";
import { rsaPrivateKeysIn } from "./profile-files.ts";

const { system, browsing } = useSystemAndBrowser();
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "coffer-profile-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The id of the certificate of this page's own instance, as the panel shows it. */
async function instanceOf(page: Page): Promise<string> {
  const panel = await openVaults(page);
  const id = await panel.locator("[data-certificate]").textContent();
  await page.keyboard.press("Escape");
  return id ?? "";
}

it("M4 keys under a passkey are there after a reload when the person shows it, and stay the same", async () => {
  const page = await openEnrolled({ system, browsing }, "Ada");
  await authenticator(page);
  await sealFile(page, "plan.txt", "the plan");
  await enrolByPasskey(page);
  const before = await instanceOf(page);
  await page.reload();
  await page.locator('[data-link="vault"][data-phase="locked"]').first().waitFor();
  await unlockButton(page).press("Enter");
  await untilEnrolled(page);
  expect(await showFile(page, "plan.txt")).toBe("the plan");
  expect(await instanceOf(page)).toBe(before);
  expect(await page.locator('iframe[title="Coffer vault: unlock with your passkey"]').count()).toBe(0);
});

it("M4 who goes on without, or whose passkey is gone, has the vault make other keys, and documents open", async () => {
  const page = await openEnrolled({ system, browsing }, "Bea");
  const { cdp, id } = await authenticator(page);
  await sealFile(page, "note.txt", "a note");
  await enrolByPasskey(page);
  const first = await instanceOf(page);
  await page.reload();
  await withoutButton(page).click();
  await untilEnrolled(page);
  const second = await instanceOf(page);
  expect(second).not.toBe(first);
  expect(await showFile(page, "note.txt")).toBe("a note");

  await enrolByPasskey(page, { add: false });
  await cdp.send("WebAuthn.clearCredentials", { authenticatorId: id });
  await page.reload();
  await unlockButton(page).click();
  await unlocking(page).getByText("That did not unlock it.").waitFor();
  await withoutButton(page).click();
  await untilEnrolled(page);
  expect(await showFile(page, "note.txt")).toBe("a note");
});

it("M4 a passkey whose authenticator has no PRF vouches, and the keys are kept as before", async () => {
  const page = await openEnrolled({ system, browsing }, "Cyd");
  await authenticator(page, { hasPrf: false });
  await enrolByPasskey(page);
  const before = await instanceOf(page);
  await page.reload();
  await untilEnrolled(page);
  expect(await instanceOf(page)).toBe(before);
});

/** A profile of this name in which somebody has enrolled by a grant, and then by a passkey; closed again. */
async function enrolledProfile(name: string, hasPrf: boolean): Promise<string> {
  const profile = join(folder, name);
  await inProfile(profile, async (page) => {
    await signIn(page, system, name);
    await untilEnrolled(page);
    await authenticator(page, { hasPrf });
    await enrolByPasskey(page);
  });
  return profile;
}

async function inProfile<T>(profile: string, work: (page: Page) => Promise<T>): Promise<T> {
  const options = { executablePath: executablePath(), args: ARGUMENTS, env: { ...process.env, ...LOCALE } };
  const context = await chromium.launchPersistentContext(profile, options);
  try {
    return await work(context.pages()[0] ?? (await context.newPage()));
  } finally {
    await context.close();
  }
}

it("M4 a copy of the profile's files has no private key that is kept under a passkey, and no use of it", async () => {
  // The positive control: handles lie in the files in clear, that of the grant and that of the passkey.
  expect((await rsaPrivateKeysIn(await enrolledProfile("Dan", false))).size).toBe(2);
  const profile = await enrolledProfile("Eve", true);
  expect((await rsaPrivateKeysIn(profile)).size).toBe(1);

  const copied = join(folder, "copied");
  await cp(profile, copied, { recursive: true });
  const found = await inProfile(copied, async (page) => {
    await page.goto(`${system.appOrigin}/`);
    return withKit(
      page,
      async ({ openVault }, vault) => void (await openVault(vault, document.body)),
      system.vaultOrigin,
    ).then(() =>
      page
        .frames()
        .find((frame) => frame.url().startsWith(system.vaultOrigin))!
        .evaluate(readStore),
    );
  });
  expect(found).toEqual([
    { handles: ["encrypt,decrypt", "wrapKey,unwrapKey"], sealed: 4, unwrapped: "OperationError" },
  ]);
});

/** In the vault's frame: the private keys that its database has, and what comes of unwrapping one without the passkey. */
async function readStore() {
  const opened = indexedDB.open("coffer-microservice");
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    opened.onsuccess = () => resolve(opened.result);
    opened.onerror = () => reject(opened.error);
  });
  const asked = database.transaction("instances").objectStore("instances").getAll();
  const records = await new Promise<Record<string, unknown>[]>((resolve) => {
    asked.onsuccess = () => resolve(asked.result);
  });
  return Promise.all(
    records.map(async (record) => {
      const { inner, keys } = record.sealed as { inner: CryptoKey; keys: Uint8Array<ArrayBuffer>[] };
      const handles = [...Object.values(record), inner]
        .filter((value) => value instanceof CryptoKey)
        .map(({ usages }) => usages.join());
      const gcm = { name: "AES-GCM", iv: new Uint8Array(12) };
      const rsa = { name: "RSA-OAEP", hash: "SHA-256" };
      const unwrapped = await crypto.subtle
        .unwrapKey("pkcs8", keys[1]!, inner, { ...gcm, iv: gcm.iv.fill(1) }, rsa, true, ["unwrapKey"])
        .then(
          () => "unwrapped",
          (error: Error) => error.name,
        );
      return { handles, sealed: keys.length, unwrapped };
    }),
  );
}
