/** Signing in by a provider of another site, in a browser: which cookies come back, and what a person sees. */

import { afterEach, expect, it } from "vitest";
import { signIn, typeName, useSystemAndBrowser } from "./index.ts";

const { system, browsing } = useSystemAndBrowser({ otherApps: ["second"] });
afterEach(() => system.running.provider?.bend({}));

it("leads to another site and back, signs in by the answer to the vault's question, and no page complains", async () => {
  const { page, context, complaints } = await browsing.open();
  await page.goto(`${system.appOrigin}/`);
  await page.getByRole("button", { name: "Sign in" }).click();
  await typeName(page, "Ada");
  expect(page.url()).not.toContain("code=");
  const kept = async () => (await context.cookies()).map(({ name, sameSite }) => [name, sameSite]);
  const { port } = new URL(system.vaultOrigin);
  expect(await kept()).toEqual([[`coffer-${port}-sign-in`, "Lax"]]);
  await page.getByRole("button", { name: "Continue as Ada" }).click();
  await page.getByRole("button", { name: "Sign out" }).waitFor();
  expect(await kept()).toEqual([[`coffer-${port}`, "Strict"]]);
  expect(complaints).toEqual([]);
});

it("somebody else signs in at the provider in place of who is signed in", async () => {
  const { page, context } = await browsing.open();
  await signIn(page, system, "Ada");
  await signIn(await context.newPage(), { ...system, appOrigin: system.origin("second") }, "Bob");
  const vault = await context.newPage();
  await vault.goto(`${system.vaultOrigin}/account`);
  await vault.getByText("Signed in as Bob").waitFor();
});

it("who cancels at the provider is told so, and gets back to the app or begins again", async () => {
  const { page } = await browsing.open();
  await page.goto(`${system.appOrigin}/`);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("Your name").waitFor();
  await page.getByRole("link", { name: "Cancel" }).click();
  const told = page.getByRole("heading", { name: "You are not signed in" });
  await told.waitFor();
  await page.getByRole("link", { name: "Try again" }).click();
  await page.getByLabel("Your name").waitFor();
  await page.getByRole("link", { name: "Cancel" }).click();
  await told.waitFor();
  await page.getByRole("link", { name: "Cancel" }).click();
  await page.getByText("The sign-in was not completed").waitFor();
  expect(new URL(page.url()).origin).toBe(system.appOrigin);
});
