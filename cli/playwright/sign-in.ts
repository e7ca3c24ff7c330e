/** Signs in as a person does: at the app's own button, by a name at the development identity provider, and by a yes at the vault. */

import type { Page } from "playwright/test";

export type SignInPage = {
  /** Where the app's page is. */
  url: string;
  /** The accessible name of its button for signing in. */
  button: string;
  /** That of the one for signing out, which is there when somebody is signed in. */
  signedIn: string;
};

/** Resolves when the app's page shows that somebody is signed in. */
export async function signInAs(
  page: Page,
  name: string,
  { url, button, signedIn }: SignInPage,
): Promise<void> {
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
  await page.waitForURL((at) => at.origin === new URL(url).origin);
  await page.getByRole("button", { name: signedIn }).waitFor();
}
