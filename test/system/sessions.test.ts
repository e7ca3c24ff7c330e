/** Two apps in one browser: what ends one of them, and what ends both, here and at the vault. */

import type { BrowserContext, Page } from "playwright";
import { beforeEach, expect, it } from "vitest";
import { sealFile, showFile, signIn, untilEnrolled, useSystemAndBrowser, withKit } from "./index.ts";

const { system, browsing } = useSystemAndBrowser({ otherApps: ["second"] });
let context: BrowserContext;
let first: Page;
let second: Page;

const secondApp = () => ({ ...system, appOrigin: system.origin("second") });

/** A new profile, in which Ada is signed in to both apps, each with an instance that lives. */
beforeEach(async () => {
  await context?.close();
  ({ page: first, context } = await browsing.open());
  await signIn(first, system, "Ada");
  second = await context.newPage();
  await signIn(second, secondApp(), "Ada");
  for (const page of [first, second]) {
    await untilEnrolled(page);
    await connect(page);
  }
  expect(await kept()).toHaveLength(2);
  expect([await alive(first), await alive(second)]).toEqual([null, null]);
});

/** A second instance of the page's app, as another tab would have. */
async function connect(page: Page): Promise<void> {
  await withKit(
    page,
    async (kit, vault) => {
      const coffer = await kit.connect({ vault });
      const { port } = await kit.openVault(vault, document.body);
      const microservice = kit.createPortClient(port);
      await kit.prove(microservice, vault, await microservice.hello(coffer.identity!.custodian.dn));
      const waiting = kit.createPortClient((await kit.openVault(vault, document.body)).port);
      Object.assign(globalThis, { live: microservice, waiting, dn: coffer.identity!.custodian.dn });
    },
    system.vaultOrigin,
  );
}

/** Why that instance uses no key any more; null while it does. */
const alive = (page: Page) =>
  withKit(
    page,
    async (kit) => {
      const { live } = globalThis as unknown as { live: { has(edk: string): Promise<unknown> } };
      return kit.refusal(live.has("e30.e30.AA"));
    },
    null,
  );

/** Origins of the instances that the vault keeps. */
async function kept(): Promise<string[]> {
  const vault = await context.newPage();
  try {
    // A file, not a page: a page of the vault would put things right by itself.
    await vault.goto(`${system.vaultOrigin}/configuration.json`);
    return await vault.evaluate(async () => {
      const done = <T>(request: IDBRequest<T>) =>
        new Promise<T>((resolve, reject) => {
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
      const database = await done(indexedDB.open("coffer-microservice"));
      const read = database.transaction(["instances", "keys"]);
      const instances = (await done(read.objectStore("instances").getAll())) as {
        id: string;
        origin: string;
      }[];
      const keys = (await done(read.objectStore("keys").getAllKeys())) as [string, string][];
      database.close();
      const ids = instances.map(({ id }) => id);
      if (keys.some(([instance]) => !ids.includes(instance))) throw new Error("a key of no instance is left");
      return instances.map(({ origin }) => origin);
    });
  } finally {
    await vault.close();
  }
}

/** What a microservice that has only just started has for this page without a network. */
async function offline(page: Page): Promise<unknown> {
  await context.setOffline(true);
  try {
    return await withKit(
      page,
      async () => {
        const { waiting, dn } = globalThis as unknown as {
          waiting: { hello(dn: string): Promise<{ instance: unknown }> };
          dn: string;
        };
        return (await waiting.hello(dn)).instance;
      },
      null,
    );
  } finally {
    await context.setOffline(false);
  }
}

it("signing out of one app ends its instances in all its tabs, and nothing of the other app", async () => {
  await sealFile(second, "note.txt", "goes on");
  await first.getByRole("button", { name: "Sign out" }).click();
  await first.getByRole("button", { name: "Sign in" }).waitFor();
  await expect.poll(() => alive(first)).toBe("not-enrolled");
  expect(await kept()).toEqual([system.origin("second")]);
  expect(await alive(second)).toBe(null);
  await second.reload();
  expect(await showFile(second, "note.txt")).toBe("goes on");
});

it("signing out everywhere, on the vault's own page, ends the instances of all apps, also without a network", async () => {
  await sealFile(second, "note.txt", "for Ada");
  expect(await offline(second)).not.toBeNull();
  const vault = context.waitForEvent("page");
  await first.getByRole("link", { name: "Your vault" }).click();
  const account = await vault;
  await account.getByText("Signed in as Ada").waitFor();
  const listed = await account.getByRole("list").getByRole("link").allTextContents();
  expect(listed.sort()).toEqual(
    [system.appOrigin, system.origin("second")].map((origin) => new URL(origin).host).sort(),
  );
  await account.getByRole("button", { name: "Sign out everywhere" }).click();
  await account.getByText("You are signed out").waitFor();
  expect(await kept()).toEqual([]);
  for (const page of [first, second]) {
    await expect.poll(() => alive(page)).toBe("not-enrolled");
    expect(await offline(page)).toBeNull();
  }
  await second.reload();
  await second.getByRole("alert").getByRole("button", { name: "Sign in" }).first().waitFor();
});

it("the vault's page ends one app alone", async () => {
  const account = await context.newPage();
  await account.goto(`${system.vaultOrigin}/account`);
  const { host } = new URL(system.origin("second"));
  await account.getByRole("button", { name: `Sign out of ${host}` }).click();
  await account.getByRole("link", { name: host }).waitFor({ state: "detached" });
  expect(await kept()).toEqual([system.appOrigin]);
  await expect.poll(() => alive(second)).toBe("not-enrolled");
  expect(await alive(first)).toBe(null);
});

it("a session that has gone ends the instances of all apps as soon as one of them asks", async () => {
  await context.clearCookies();
  await first.reload();
  await first.getByRole("alert").filter({ hasText: "sign-in at the vault has ended" }).waitFor();
  expect(await kept()).toEqual([]);
  await expect.poll(() => alive(second)).toBe("not-enrolled");
  expect(await offline(second)).toBeNull();
});

it("another user's sign-in ends all instances of the one before, of every app", async () => {
  await first.getByRole("button", { name: "Sign out" }).click();
  await first.getByRole("button", { name: "Sign in" }).waitFor();
  await signIn(first, system, "Bob");
  await untilEnrolled(first);
  expect(await kept()).toEqual([system.appOrigin]);
  await expect.poll(() => alive(second)).toBe("not-enrolled");
  expect(await offline(second)).toBeNull();
});
