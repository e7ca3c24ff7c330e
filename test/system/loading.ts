/** Ways of loading other than the page's own, by the kit's inner parts in the page: what no button of it does. */

import type { Page } from "playwright";
import type { System } from "../support/start.ts";
import { withKit } from "./kit.ts";

/**
 * A microservice of its own in this page loads two keys by a grant (M7) and two in one rewrap (M8), and seals and opens with each:
 * what it opened, and how a second presentation of the grant is answered. Then it entrusts one of either (M10), and uses it as brought,
 * and loads two that the KMS retains (M11). `hybrid`: whether the keys are to come by X25519 and ML-KEM-768 alone.
 */
export function loadInOtherWays(page: Page, { vaultOrigin }: Pick<System, "vaultOrigin">, hybrid = true) {
  return withKit(
    page,
    async (kit, { vaultOrigin, hybrid }) => {
      const coffer = await kit.connect({ vault: vaultOrigin });
      const { tenant, custodian, accounts } = coffer.identity!;
      const account = accounts[0]!.id;
      const rest = await kit.rest(vaultOrigin);
      const vault = await kit.openVault(vaultOrigin, document.body, 20_000);
      const port = kit.createPortClient(vault.port);
      await port.forget();
      const hello = await port.hello(custodian.dn);
      const enrolment = await rest.json<{ grant: string }>("POST", "/ra/grants");
      const instance = await port.enrol({ method: "grant", grant: enrolment.grant });
      await kit.prove(port, vaultOrigin, { ...hello, instance });
      const certificate = await port.certificate();
      // Demanded by the keys' own policy: by RSA-OAEP the KMS gives none of them, and the microservice takes none.
      const policy = { operations: ["encrypt", "decrypt"], ...(hybrid && { wrapping: "hybrid" }) };
      const order = { account, count: 4, purpose: "document", policy };
      const { edks } = await rest.json<{ edks: string[] }>("POST", "/kms/data-keys", { json: order });
      const [byGrant, inOne] = [edks.slice(0, 2), edks.slice(2)];
      const asked = { edks: byGrant, certificate };
      const { grant } = await rest.json<{ grant: string }>("POST", "/kms/grants", { json: asked });
      const loaded = await port.load({ way: "grant", grant, edks: byGrant });
      const again = await kit.refusal(port.load({ way: "grant", grant, edks: byGrant }));
      const json = { way: "several", edks: inOne, certificate };
      await port.load(await rest.json<Parameters<typeof port.load>[0]>("POST", "/kms/loads", { json }));
      const opened: string[] = [];
      for (const edk of edks) {
        const context = { tenant, account, document: crypto.randomUUID(), purpose: "document" };
        const text = new TextEncoder().encode("by another way");
        const sealed = await new Response(port.seal({ edk, context }, text)).bytes();
        opened.push(await new Response(port.open({ context }, sealed)).text());
      }
      // Stateless (M10): one that came by the grant and one of the rewrap.
      const given = [edks[0]!, edks[2]!];
      const entrusted = await port.entrust(given);
      const held = await Promise.all(given.map((edk) => port.has(edk)));
      const brought: string[] = [];
      for (const key of entrusted) {
        const context = { tenant, account, purpose: "data" };
        const data = btoa("brought with it").replace(/=+$/, "");
        const { message } = await port.operate("encrypt", { key, context, data });
        brought.push(atob((await port.operate("decrypt", { key, context, message })).data));
      }
      // Retained by the KMS (M11): the microservice asks for all of them itself.
      const kept = { ...order, count: 2, custody: "kms" };
      const references = (await rest.json<{ edks: string[] }>("POST", "/kms/data-keys", { json: kept })).edks;
      await port.load({ way: "retained", account });
      // The tenant's own too, by the principal whom they were made for.
      const { account: _, ...ofTenant } = kept;
      const own = (await rest.json<{ edks: string[] }>("POST", "/kms/data-keys", { json: ofTenant })).edks;
      await port.load({ way: "retained", owner: coffer.identity!.user.id });
      const retained: string[] = [];
      for (const edk of [...references, ...own]) {
        const document = { tenant, document: crypto.randomUUID(), purpose: "document" };
        const context = own.includes(edk) ? document : { ...document, account };
        const sealed = await new Response(
          port.seal({ edk, context }, new TextEncoder().encode("retained")),
        ).bytes();
        const inHeader = (await port.inspect(sealed)).edk === edk;
        retained.push(`${inHeader} ${await new Response(port.open({ context }, sealed)).text()}`);
      }
      vault.remove();
      // And by the kit, which has the KMS keep what it seals under.
      const keeping = await kit.connect({ vault: vaultOrigin, custody: "kms" });
      const { id } = await keeping.seal(new File(["kept by the KMS"], "kept.txt"));
      const { stream } = await (await kit.connect({ vault: vaultOrigin })).open(id);
      const byKit = await new Response(stream).text();
      // A document of this app, whose key an instance without it gets by a grant that the kit asks for (M7).
      const { id: granted } = await coffer.seal(new File(["by the kit's grant"], "granted.txt"));
      const emptied = await kit.openVault(vaultOrigin, document.body, 20_000);
      await kit.createPortClient(emptied.port).forget();
      emptied.remove();
      const fresh = await kit.connect({ vault: vaultOrigin });
      const paths = () => performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname);
      performance.clearResourceTimings();
      await fresh.loadByGrant([granted]);
      const grants = paths().filter((path) => path === "/kms/grants").length;
      performance.clearResourceTimings();
      const read = await new Response((await fresh.open(granted)).stream).text();
      const loads = paths().filter((path) => path === "/kms/loads").length;
      const byKitsGrant = { grants, loads, read };
      return { opened, again, loaded, held, brought, retained, byKit, byKitsGrant };
    },
    { vaultOrigin, hybrid },
  );
}

/**
 * The kit loads keys from a passphrase, bytes and a file (M9), seals a document under each, and opens them in an instance that has only the
 * seeds: what it opened, how it was refused before and with another seed, and how much of the file it told that it had read.
 */
export function loadBySeeds(page: Page, { vaultOrigin }: Pick<System, "vaultOrigin">) {
  return withKit(
    page,
    async (kit, vault) => {
      const coffer = await kit.connect({ vault });
      const file = new File([new Uint8Array((2 << 20) + 5).fill(7)], "key.bin");
      const seeds = [
        ["by a passphrase", "ein Ges\u0069\u0308cht im Regen"],
        // No run of one byte, which stands in anybody's memory.
        ["by bytes", new Uint8Array(40).map((_, n) => (n * 89 + 41) % 251)],
        ["by a file", file],
      ] as const;
      const read: number[] = [];
      const ids: string[] = [];
      for (const [text, seed] of seeds) {
        const onProgress = ({ bytes }: { bytes: number }) => void (bytes > 0 && read.push(bytes));
        const [key] = await coffer.loadBySeed(seed, { onProgress });
        const { id } = await coffer.seal(new File([text], `${text}.txt`), { key: key! });
        ids.push(id);
      }
      const empty = await kit.refusal(coffer.loadBySeed(""));
      const stop = AbortSignal.abort(new DOMException("stopped", "AbortError"));
      const aborted = await coffer.loadBySeed(file, { signal: stop }).then(
        () => "not",
        (error: Error) => error.message,
      );
      // Another instance: it has none of the keys.
      await coffer.renew();
      const open = async (id: string) => new Response((await coffer.open(id)).stream).text();
      const before = await kit.refusal(open(ids[0]!));
      const wrong = await kit.refusal(coffer.loadBySeed("ein anderes Gesicht", { document: ids[0]! }));
      const opened: string[] = [];
      for (const [n, [, seed]] of seeds.entries()) {
        await coffer.loadBySeed(seed, { document: ids[n]! });
        opened.push(await open(ids[n]!));
      }
      await coffer.renew();
      // The same passphrase, as another keyboard writes it.
      await coffer.loadBySeed("ein Ges\u00efcht im Regen", { document: ids[0]! });
      return { opened, before, wrong, empty, aborted, read, again: await open(ids[0]!) };
    },
    vaultOrigin,
  );
}
