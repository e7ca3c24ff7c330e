/** What an app's end-to-end tests can look like; here of the page that ships with Coffer. */

import { cofferFixtures } from "@coffer/kit/playwright";
import { test as base, expect, type Page } from "@playwright/test";

const test = base.extend(cofferFixtures);

const documents = (page: Page) => page.getByRole("list", { name: "Documents" }).getByRole("listitem");

async function seal(page: Page, name: string, content: string): Promise<void> {
  const file = { name, mimeType: "text/plain", buffer: Buffer.from(content) };
  await page.getByLabel("Files to seal").setInputFiles(file);
}

const open = (page: Page, name: string) => page.getByRole("button", { name: `Open ${name}` }).click();

test("seals a document, and another user sees nothing of it", async ({ signedIn, secondUser }) => {
  await seal(signedIn, "letter.txt", "between us");
  await expect(documents(signedIn)).toHaveText(/letter\.txt/);
  await open(signedIn, "letter.txt");
  await expect(signedIn.getByRole("dialog").locator("pre")).toHaveText("between us");
  await expect(secondUser.getByLabel("Files to seal")).toBeAttached();
  await expect(documents(secondUser)).toHaveCount(0);
});

test("tells that the key store is away, and seals when it is back", async ({ coffer, signedIn }) => {
  coffer.hsm.down();
  // More than the page may have keys for already: it asks for some ahead.
  const files = Array.from({ length: 20 }, (_, at) => ({
    name: `away-${at}.txt`,
    mimeType: "text/plain",
    buffer: Buffer.from("not yet"),
  }));
  await signedIn.getByLabel("Files to seal").setInputFiles(files);
  await expect(signedIn.getByRole("alert").first()).toContainText(/key store/i);
  coffer.hsm.mend();
  await signedIn.reload();
  await expect(signedIn.getByRole("button", { name: "Sign out" })).toBeVisible();
  await seal(signedIn, "back.txt", "now");
  await expect(documents(signedIn).filter({ hasText: "back.txt" })).toHaveCount(1);
});

test("waits for a slow key store", async ({ coffer, signedIn }) => {
  coffer.hsm.slow(300);
  await seal(signedIn, "slow.txt", "in its time");
  await expect(documents(signedIn)).toHaveText(/slow\.txt/);
});

test("goes on when a token has expired, and ends with the sign-in", async ({ bend, signedIn }) => {
  await seal(signedIn, "first.txt", "one");
  await expect(documents(signedIn)).toHaveText(/first\.txt/);
  const refused = signedIn.waitForResponse((answer) => answer.status() === 401);
  bend.tokenExpired();
  await seal(signedIn, "second.txt", "two");
  await refused;
  await expect(documents(signedIn)).toHaveCount(2);
  bend.signInExpired();
  await signedIn.reload();
  await expect(signedIn.getByRole("button", { name: "Sign in" }).first()).toBeVisible();
});

for (const lie of ["alters", "cuts", "hides", "refuses"] as const)
  test(`shows nothing of what a datastore that ${lie} gives`, async ({ bend, signedIn }) => {
    await seal(signedIn, "true.txt", "as it was sealed");
    await expect(documents(signedIn)).toHaveText(/true\.txt/);
    bend.datastoreLies(lie);
    await open(signedIn, "true.txt");
    await expect(signedIn.getByRole("alert").first()).toBeVisible();
    await expect(signedIn.getByText("as it was sealed")).toHaveCount(0);
  });

test("takes no evidence of an enclave in which something is wrong", async ({ coffer }) => {
  expect(await coffer.enrolInEnclave("ada")).toBe("enrolled");
  expect(await coffer.enrolInEnclave("ada", "nonce-wrong")).toBe("attestation-refused");
});

test("enrols once what is wrong with an enrolment is off", async ({ coffer }) => {
  coffer.faults.turn("eat/identity-key-swapped");
  expect(await coffer.enrolInEnclave("ada")).toBe("attestation-refused");
  coffer.faults.turn(null);
  expect(await coffer.enrolInEnclave("ada")).toBe("enrolled");
});
