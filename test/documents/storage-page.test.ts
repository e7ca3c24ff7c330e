/** What the browser promises of what is stored in it, on the page: as it says, and as a person asks it to. In Chromium with all real parts. */

import { expect, it } from "vitest";
import { openEnrolled, useSystemAndBrowser } from "../system/index.ts";
import { openVaults, said } from "./authenticator.ts";

const { system, browsing } = useSystemAndBrowser();

it("says whether the browser keeps what is stored, how much that is, and asks it to where a person wants that", async () => {
  const page = await openEnrolled({ system, browsing }, "Ada");
  const panel = await openVaults(page);
  const storage = panel.getByRole("region", { name: "Storage" });
  const promised = () => storage.locator("[data-persisted]").textContent();
  await expect.poll(promised).toMatch(/^This browser may delete it when space runs short\./);
  await expect
    .poll(() => storage.locator("[data-used]").textContent())
    .toMatch(/^about [\d.]+ [kM]?B(ytes)?, of [\d.,]+ [GT]B at most$/);
  // The vault's own word, from its frame.
  await expect
    .poll(() => storage.locator("[data-vault-persisted]").textContent())
    .toMatch(/^may be deleted: the vault then makes other keys/);
  const ask = storage.getByRole("button", { name: "Ask to keep it" });
  await ask.press("Enter");
  await expect.poll(() => said(panel)).toMatch(/^This browser did not agree\./);
  expect(await ask.isVisible()).toBe(true);
  // As a browser decides of a page that is used often.
  const cdp = await page.context().browser()!.newBrowserCDPSession();
  const { targetInfos } = await cdp.send("Target.getTargets");
  const target = targetInfos.find(({ url }) => url.startsWith(system.appOrigin));
  await cdp.send("Browser.grantPermissions", {
    permissions: ["durableStorage"],
    origin: system.appOrigin,
    browserContextId: target?.browserContextId,
  });
  await ask.press("Enter");
  await expect.poll(() => said(panel)).toBe("This browser keeps it from now on.");
  await expect.poll(promised).toBe("This browser keeps it until you delete it yourself.");
  expect(await ask.isVisible()).toBe(false);
  await page.context().close();
});
