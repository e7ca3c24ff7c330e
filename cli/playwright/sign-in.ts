/** Signs in as a person does: at the app's own button, by a name at the development identity provider, and by a yes at the vault. */

import type { Page } from "playwright/test";

export type SignInButton = {
  /** Where the app's page is. */
  url: string;
  /** The accessible name of its button for signing in. */
  button: string;
};

/** Resolves when the browser is back at the app, whose page is then still loading. */
export async function signInAs(page: Page, name: string, { url, button }: SignInButton): Promise<void> {
  await page.goto(url);
  await page.getByRole("button", { name: button }).click();
  const known = page.getByRole("button", { name: "Continue as" });
  const field = page.getByLabel("Your name");
  await field.or(known).waitFor();
  const same = page.getByRole("button", { name: `Continue as ${name}`, exact: true });
  if (!(await same.isVisible())) {
    if (await known.isVisible()) await page.getByRole("link", { name: "Use another name" }).click();
    await field.fill(name);
    await page.getByRole("button", { name: "Sign in" }).click();
  }
  await same.click();
  await page.waitForURL((at) => at.origin === new URL(url).origin && !at.searchParams.has("code"));
}
