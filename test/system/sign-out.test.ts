/** What a sign-out leaves in the browser, and who may use what is stored: reload, sign-out, second user of a profile. */

import type { BrowserContext, Page } from "playwright";
import { beforeAll, expect, it } from "vitest";
import {
  sealFile,
  showFile,
  signIn,
  typeName,
  untilEnrolled,
  useSystemAndBrowser,
  withKit,
} from "./index.ts";

const { system, browsing } = useSystemAndBrowser();
let context: BrowserContext;
let page: Page;

beforeAll(async () => {
  ({ page, context } = await browsing.open());
  await signIn(page, system, "Ada");
  await sealFile(page, "note.txt", "for Ada alone");
});

/** What the vault's origin keeps: custodians of its instances, and how many wrapped keys. */
async function kept(): Promise<{ custodians: string[]; keys: number }> {
  const vault = await context.newPage();
  try {
    await vault.goto(`${system.vaultOrigin}/`);
    return await vault.evaluate(async () => {
      const done = <T>(request: IDBRequest<T>) =>
        new Promise<T>((resolve, reject) => {
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
      const database = await done(indexedDB.open("coffer-microservice"));
      const read = database.transaction(["instances", "keys"]);
      const instances = (await done(read.objectStore("instances").getAll())) as { custodian: string }[];
      const keys = await done(read.objectStore("keys").count());
      database.close();
      return { custodians: instances.map(({ custodian }) => custodian), keys };
    });
  } finally {
    await vault.close();
  }
}

const identity = () =>
  withKit(page, async (kit, vault) => (await kit.connect({ vault })).identity!, system.vaultOrigin);
const hello = (custodian: string) =>
  withKit(
    page,
    async (kit, { vault, custodian }) => {
      const { port } = await kit.openVault(vault, document.body);
      return kit.refusal(kit.createPortClient(port).hello(custodian));
    },
    { vault: system.vaultOrigin, custodian },
  );

it("M13 the microservice serves whom the vault's session names, and no name that a page makes up", async () => {
  const { dn } = (await identity()).custodian;
  expect(await kept()).toEqual({ custodians: [dn], keys: expect.any(Number) });
  expect(await hello(dn)).toBe(null);
  expect(await hello(dn.replace(/^CN=[^,]+/, "CN=somebody"))).toBe("foreign-custodian");
  expect(await hello(dn.replace("//localhost", "//second.localhost"))).toBe("foreign-custodian");
});

it("when the session at the vault is over, a reloaded page uses no stored key and asks to sign in", async () => {
  const { dn } = (await identity()).custodian;
  await context.clearCookies();
  await page.reload();
  const notice = page.getByRole("alert").filter({ hasText: "sign-in at the vault has ended" });
  await notice.waitFor();
  expect(await hello(dn)).toBe("no-session");
  await notice.getByRole("button", { name: "Sign in" }).click();
  await typeName(page, "Ada");
  await page.getByRole("button", { name: "Continue as Ada" }).click();
  expect(await showFile(page, "note.txt")).toBe("for Ada alone");
});

it("a sign-out deletes the keys, also where this connection never started the microservice, and in other tabs", async () => {
  await untilEnrolled(page);
  expect((await kept()).custodians).toHaveLength(1);
  const other = await context.newPage();
  await other.goto(`${system.appOrigin}/`);
  await untilEnrolled(other);
  await withKit(other, async (kit, vault) => (await kit.connect({ vault })).signOut(), system.vaultOrigin);
  for (const tab of [page, other]) {
    await tab.getByRole("button", { name: "Sign in" }).waitFor();
    await expect.poll(() => tab.locator("iframe").count()).toBe(0);
  }
  expect(await kept()).toEqual({ custodians: [], keys: 0 });
  await other.close();
});

it("the next user of the profile gets an instance of their own and nothing of the first", async () => {
  await signIn(page, system, "Bob");
  await untilEnrolled(page);
  const { dn } = (await identity()).custodian;
  expect((await kept()).custodians).toEqual([dn]);
  await page.getByText("Nothing sealed yet").waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  expect(await kept()).toEqual({ custodians: [], keys: 0 });
  await signIn(page, system, "Ada");
  expect(await showFile(page, "note.txt")).toBe("for Ada alone");
});
