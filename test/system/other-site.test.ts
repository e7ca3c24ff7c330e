/** An app on 127.0.0.1 with the development identity provider on localhost; the other tests have it the other way round. */

import { expect, it } from "vitest";
import { connect } from "#cli/client.ts";
import { openBrowser, openEnrolled, sealFile, showFile, useSystem } from "./index.ts";

const system = useSystem({ host: "127.0.0.1" });

it("OIDC signs people in where the app is on 127.0.0.1 and the provider on localhost, another site, in Chromium and by the command line's kit", async () => {
  const provider = system.running.provider?.issuer ?? "";
  expect([system.appOrigin, system.vaultOrigin].map((origin) => new URL(origin).hostname)).toEqual([
    ...["127.0.0.1", "127.0.0.1"],
  ]);
  expect(new URL(provider).hostname).toBe("localhost");
  const browsing = await openBrowser();
  try {
    const page = await openEnrolled({ system, browsing }, "Ada");
    await sealFile(page, "plan.txt", "the plan");
    await page.reload();
    expect(await showFile(page, "plan.txt")).toBe("the plan");
  } finally {
    await browsing.close();
  }
  const { appOrigin: app, vaultOrigin: vault } = system;
  const client = await connect({ app, vault, rootKey: system.running.rootKey, user: "Ada" });
  try {
    const [document] = await client.documents.list([client.account()]);
    expect(document?.metadata?.name).toBe("plan.txt");
  } finally {
    client.close();
  }
});
