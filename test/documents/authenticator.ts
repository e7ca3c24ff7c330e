/** An authenticator of the DevTools protocol, and what a person does with it on the page. */

import type { CDPSession, Locator, Page } from "playwright";

/** With the frame on the page's own site its requests go to the page's session. */
export async function authenticator(
  page: Page,
  { hasPrf = true } = {},
): Promise<{ cdp: CDPSession; id: string }> {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const { authenticatorId: id } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      ...{ protocol: "ctap2", ctap2Version: "ctap2_1", transport: "internal", hasPrf },
      ...{ hasResidentKey: true, hasUserVerification: true, isUserVerified: true },
      automaticPresenceSimulation: true,
    },
  });
  return { cdp, id };
}

export async function openVaults(page: Page): Promise<Locator> {
  await page.getByRole("button", { name: "Vaults", exact: true }).click();
  const panel = page.getByRole("dialog", { name: "Your vaults" });
  await panel.getByRole("region", { name: "In this browser" }).waitFor();
  return panel;
}

export const said = (panel: Locator) => panel.locator("[data-said]").textContent();

const untilSaid = (panel: Locator, words: string) =>
  panel.locator("[data-said]", { hasText: words }).waitFor({ state: "attached", timeout: 30_000 });

/** The vault's own button. */
export const addPasskey = (page: Page) =>
  page
    .frameLocator('iframe[title="Coffer vault: add a passkey"]')
    .getByRole("button", { name: "Add a passkey" });

/** Adds a passkey, unless there is one, and has this page's instance enrol again with it. */
export async function enrolByPasskey(page: Page, { add = true } = {}): Promise<void> {
  const panel = await openVaults(page);
  if (add) {
    await addPasskey(page).click();
    await untilSaid(panel, "The passkey is added.");
  }
  await panel.getByRole("button", { name: "Renew with a passkey" }).click();
  await untilSaid(panel, "the ones before are revoked");
  await page.keyboard.press("Escape");
}

/** What the vault shows while its keys are under a passkey. */
export const unlocking = (page: Page) =>
  page.frameLocator('iframe[title="Coffer vault: unlock with your passkey"]');
export const unlockButton = (page: Page) =>
  unlocking(page).getByRole("button", { name: "Unlock with your passkey" });
export const withoutButton = (page: Page) =>
  unlocking(page).getByRole("button", { name: "Go on without it" });
