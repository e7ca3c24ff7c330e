import { afterAll, beforeAll, expect, it } from "vitest";
import { connect } from "#cli/client.ts";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { codeOf } from "#protocol/error.ts";
import { signIn, untilEnrolled, useSystemAndBrowser, withKit } from "../system/index.ts";

const { system, browsing } = useSystemAndBrowser();
const data = encodeBase64url(utf8("a letter to nobody else"));
let cut = false;
let asked = 0;

/** The way to the edge, which a test cuts. */
const network: typeof fetch = (input, init) => {
  asked++;
  return cut ? Promise.reject(new TypeError("fetch failed")) : loopbackFetch(input, init);
};
let client: Awaited<ReturnType<typeof connect>>;
beforeAll(async () => {
  const { appOrigin: app, vaultOrigin: vault, running } = system;
  client = await connect({ app, vault, rootKey: running.rootKey, user: "Ada", fetch: network });
});
afterAll(() => client?.close());

it("M18 in Node: with the network cut, what is loaded seals, opens and operates, also when it was locked in between", async () => {
  const account = client.account();
  const context = { tenant: client.identity.tenant, account, purpose: "data" };
  const key = await client.keys.make(account, "AES-256-GCM-HKDF-SHA512-COMMIT-KEY");
  const macKey = await client.keys.make(account, "HMAC-SHA256-HKDF-SHA512");
  const { port } = await client.microservice.use();
  cut = true;
  asked = 0;
  const { message } = await port.operate("encrypt", { key, context, data });
  const { mac } = await port.operate("mac", { key: macKey, data });
  await port.lock();
  // Decrypted keys are gone; what was loaded is unwrapped again, with every check.
  expect(await port.operate("decrypt", { context, message }).catch(codeOf)).toEqual({ data });
  expect(await port.operate("macVerify", { key: macKey, data, mac })).toEqual({ valid: true });
  const sealed = await new Response(port.seal({ edk: key, context }, utf8("a stream"))).bytes();
  expect(await new Response(port.open({ context }, sealed)).text()).toBe("a stream");
  expect(asked).toBe(0);
});

it("M18 an upload without a network gets a clear answer, leaves nothing behind, and goes through when there is one", async () => {
  const account = client.account();
  cut = true;
  const bytes = utf8("a document");
  const sealing = client.documents.seal(bytes, account, { name: "letter.txt" });
  await expect(sealing).rejects.toMatchObject({ code: "offline" });
  cut = false;
  expect(await client.documents.list([account])).toEqual([]);
  const { id } = await client.documents.seal(bytes, account, { name: "letter.txt" });
  const opened = await client.documents.open(id);
  expect(await new Response(opened.stream as ReadableStream<Uint8Array<ArrayBuffer>>).text()).toBe(
    "a document",
  );
});

it("M18 in Chromium: after a reload with everything but the files cut, the stored instance and what it has loaded go on", async () => {
  const { page, context: browser } = await browsing.open();
  await signIn(page, system, "Ada");
  await untilEnrolled(page);
  const before = await withKit(
    page,
    async ({ connect, openVault, createPortClient, rest, prove }, { vault, data }) => {
      const coffer = await connect({ vault });
      const { custodian, tenant, accounts } = coffer.identity!;
      const account = accounts[0]!.id;
      const opened = await openVault(vault, document.body);
      const port = createPortClient(opened.port);
      const hello = await port.hello(custodian.dn);
      const { instance } = hello;
      await prove(port, vault, hello);
      const api = await rest(vault);
      const algorithm = "AES-256-GCM-HKDF-SHA512-COMMIT-KEY";
      const order = { account, count: 1, purpose: "data", algorithm };
      const { edks } = await api.json<{ edks: string[] }>("POST", "/kms/data-keys", { json: order });
      const [key] = edks as [string];
      const request = { way: "rewrap", edk: key, certificate: instance!.wrappingCertificate };
      await port.load(await api.json("POST", "/kms/loads", { json: request }));
      const of = { tenant, account, purpose: "data" };
      const { message } = await port.operate("encrypt", { key, context: of, data });
      return { key, message, of, dn: custodian.dn, id: instance!.id };
    },
    { vault: system.vaultOrigin, data },
  );
  // What a browser has in its cache, which Playwright sets aside where it intercepts, and nothing else: no session, token, key
  // or list comes over the network any more.
  const refused: string[] = [];
  await browser.route("**", async (route) => {
    const request = route.request();
    const { pathname } = new URL(request.url());
    if (
      request.method() === "GET" &&
      /^\/(configuration\.json|[\w.-]+\.(js|css|svg|webmanifest))?$/.test(pathname)
    )
      return route.continue();
    refused.push(pathname);
    return route.abort("internetdisconnected");
  });
  await page.reload();
  const after = await withKit(
    page,
    async ({ openVault, createPortClient, prove, refusal }, { vault, data, key, message, of, dn }) => {
      const port = createPortClient((await openVault(vault, document.body)).port);
      const refused = await refusal(port.hello(dn));
      if (refused) return { refused };
      const hello = await port.hello(dn);
      const { instance } = hello;
      await prove(port, vault, hello);
      const opened = await port.operate("decrypt", { context: of, message });
      const again = await port.operate("encrypt", { key, context: of, data });
      const reopened = await port.operate("decrypt", { context: of, message: again.message });
      return { id: instance?.id, opened: opened.data, reopened: reopened.data };
    },
    { vault: system.vaultOrigin, data, ...before },
  );
  expect(after).toEqual({ id: before.id, opened: data, reopened: data });
  expect(refused.length).toBeGreaterThan(0);
});
