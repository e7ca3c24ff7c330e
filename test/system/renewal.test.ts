/** Renewal in Chromium: the vault has its certificates renewed by itself, while the page does nothing, and keys go on being loaded. */

import type { Page } from "playwright";
import { beforeAll, expect, it } from "vitest";
import { openEnrolled, useSystemAndBrowser, withKit } from "./index.ts";

const running = useSystemAndBrowser({ vars: { COFFER_INSTANCE_SECONDS: "24" } });
const { system } = running;
let page: Page;

beforeAll(async () => {
  page = await openEnrolled(running, "Ada");
});

it("M3 M10 M13 in Chromium an instance renews itself before its certificate ends: same custodian, no grant, and nothing that was loaded or entrusted is lost", async () => {
  const shown = await withKit(
    page,
    async (kit, vault) => {
      const coffer = await kit.connect({ vault });
      const { custodian, accounts, tenant } = coffer.identity!;
      const account = accounts[0]!.id;
      const rest = await kit.rest(vault);
      const { port, remove } = await kit.openVault(vault, document.body);
      const client = kit.createPortClient(port);
      await client.forget();
      const hello = await client.hello(custodian.dn);
      const { grant } = await rest.json<{ grant: string }>("POST", "/ra/grants");
      const first = await client.enrol({ method: "grant", grant });
      await kit.prove(client, vault, { ...hello, instance: first });
      const order = { account, count: 2, purpose: "document" };
      const { edks } = await rest.json<{ edks: [string, string] }>("POST", "/kms/data-keys", { json: order });
      const bring = async (edk: string, certificate: string) =>
        client.load(await rest.json("POST", "/kms/loads", { json: { way: "rewrap", edk, certificate } }));
      await bring(edks[0], first.wrappingCertificate);
      const context = { tenant, account, document: crypto.randomUUID(), purpose: "document" };
      const text = new TextEncoder().encode("under the first certificate");
      const sealed = await new Response(client.seal({ edk: edks[0], context }, text)).bytes();
      // Under the local master key, outside of the instance (M10).
      const [entrusted] = await client.entrust([edks[0]]);
      let second = first;
      for (let tries = 0; second.id === first.id && tries < 60; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 500));
        second = (await client.hello(custodian.dn)).instance ?? first;
      }
      if (second.id === first.id) return { renewed: false, later: false, same: true, opened: "" };
      if (!entrusted) throw new Error("nothing was entrusted");
      const opened = await new Response(client.open({ context, key: entrusted }, sealed)).text();
      // The proof of before still holds: the custodian is the same, and so is its certificate.
      await bring(edks[1], second.wrappingCertificate);
      remove();
      return {
        renewed: second.id !== first.id,
        later: Date.parse(second.notAfter) > Date.parse(first.notAfter),
        same: second.custodian === first.custodian && second.method === first.method,
        opened,
      };
    },
    system.vaultOrigin,
  );
  expect(shown).toEqual({ renewed: true, later: true, same: true, opened: "under the first certificate" });
});
