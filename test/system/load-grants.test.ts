/** M7 and M8 in Chromium and in Node: the microservice presents its grant itself, and unwraps what comes over the channel. */

import { expect, it } from "vitest";
import { connect } from "#cli/client.ts";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { concat, utf8 } from "#protocol/bytes.ts";
import { digest } from "#protocol/digest.ts";
import {
  channelInfo,
  type LoadAnswer,
  type Presentation,
  type Presented,
  requestFor,
} from "#protocol/keys/index.ts";
import { createPortClient } from "#protocol/port/index.ts";
import { startMicroservice } from "#web/hosts/node/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json } from "../support/http.ts";
import { openEnrolled, useSystemAndBrowser } from "./index.ts";
import { loadInOtherWays } from "./loading.ts";

const running = useSystemAndBrowser();
const { system } = running;
const all = Array.from({ length: 4 }, () => "by another way");

it("M7 M8 M10 M11 in Chromium: keys come by a grant, once, several in one rewrap, and by their account; documents seal and open with each, also entrusted", async () => {
  const page = await openEnrolled(running, "Ada");
  const { opened, again, loaded, held, brought, retained, byKit, byKitsGrant } = await loadInOtherWays(
    page,
    system,
  );
  expect(opened).toEqual(all);
  expect(again).toBe("invalid-grant");
  expect(loaded.others).toHaveLength(1);
  expect(held).toEqual([false, false]);
  expect(brought).toEqual(["brought with it", "brought with it"]);
  expect(retained).toEqual(Array.from({ length: 4 }, () => "true retained"));
  expect(byKit).toBe("kept by the KMS");
  expect(byKitsGrant).toEqual({ grants: 1, loads: 0, read: "by the kit's grant" });
});

it("M7 in Node: the kit has keys of documents loaded by one grant, which its microservice presents, and they open with the KMS cut off", async () => {
  const { appOrigin: app, vaultOrigin: vault, running: parts } = system;
  const of = { app, vault, rootKey: parts.rootKey, user: "Gus" };
  const first = await connect(of);
  const sealed: string[] = [];
  for (const text of ["one", "two"])
    sealed.push((await first.documents.seal(utf8(text), first.account(), { name: `${text}.txt` })).id);
  first.close();
  const asked: string[] = [];
  let cut = false;
  const client = await connect({
    ...of,
    fetch: (input, init) => {
      const { pathname } = new URL(String(input));
      asked.push(pathname);
      return cut && pathname.startsWith("/kms/")
        ? Promise.reject(new TypeError("cut"))
        : loopbackFetch(input, init);
    },
  });
  await client.loadByGrant(sealed);
  const times = (path: string) => asked.filter((one) => one === path).length;
  expect([times("/kms/grants"), times("/presentations"), times("/kms/loads")]).toEqual([1, 1, 0]);
  cut = true;
  for (const [n, text] of ["one", "two"].entries()) {
    const { stream } = await client.documents.open(sealed[n] ?? "");
    expect(await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).text()).toBe(text);
  }
  // Of somebody else's document there is no key to ask for.
  await expect(client.loadByGrant([crypto.randomUUID()])).rejects.toMatchObject({ code: "not-found" });
  client.close();
});

it("M7 M8 M11 in Node: keys come by a grant, once, and several in one rewrap; documents seal and open with each", async () => {
  const ann = await EdgeClient.signedIn(system, "Ann");
  const { vaultOrigin: vault, appOrigin: origin } = system;
  let between: ((presentation: Presentation) => Promise<Presented>) | undefined;
  const withCookie: typeof fetch = async (input, init) => {
    if (between && new URL(String(input)).pathname === "/presentations")
      return Response.json(await between(JSON.parse(String(init?.body))));
    return fetch(input, {
      ...init,
      headers: { ...(init?.headers as Record<string, string>), origin: vault, cookie: ann.cookie },
    });
  };
  const { rootKey } = system.running;
  const microservice = startMicroservice({ vault, origin, fetch: withCookie, rootKey });
  const port = createPortClient(microservice.port);
  const ask = async <T>(path: string, body: object) => json<T>(await ann.rest("POST", path, body));
  await port.hello(ann.tokens.custodian.dn);
  const { grant: enrolment } = await ask<{ grant: string }>("/ra/grants", {});
  await port.enrol({ method: "grant", grant: enrolment });
  const certificate = await port.certificate();
  const { account } = ann;
  const policy = { operations: ["encrypt", "decrypt"], wrapping: "hybrid" };
  const order = { account, count: 4, purpose: "document", policy };
  const { edks } = await ask<{ edks: string[] }>("/kms/data-keys", order);
  const [byGrant, inOne] = [edks.slice(0, 2), edks.slice(2)];
  const { grant } = await ask<{ grant: string }>("/kms/grants", { edks: byGrant, certificate });
  const loaded = await port.load({ way: "grant", grant, edks: byGrant });
  expect(loaded.others).toHaveLength(1);
  await expect(port.load({ way: "grant", grant, edks: byGrant })).rejects.toMatchObject({
    code: "invalid-grant",
  });
  const several = await ask<LoadAnswer>("/kms/loads", { way: "several", edks: inOne, certificate });
  if (several.way !== "several") throw new Error("not several");
  // ML-KEM decapsulates what was altered to another secret (FIPS 203 §6.3): no key comes of it.
  const [first, second] = several.keys.map(({ wrappedKey }) => decodeBase64url(wrappedKey));
  for (const at of [5, 600, 1170]) {
    const altered = encodeBase64url(first!.with(at, first![at]! ^ 1));
    const keys = several.keys.map((key, n) => (n === 0 ? { ...key, wrappedKey: altered } : key));
    await expect(port.load({ ...several, keys })).rejects.toMatchObject({ code: "key-refused" });
  }
  expect([first, second].map((key) => key?.length)).toEqual([1176, 1176]);
  await port.load(several);
  for (const edk of edks) {
    const context = { tenant: "development", account, document: crypto.randomUUID(), purpose: "document" };
    const text = new TextEncoder().encode("by another way");
    const sealed = await new Response(port.seal({ edk, context }, text)).bytes();
    expect(await new Response(port.open({ context }, sealed)).text()).toBe("by another way");
  }
  const kept = { ...order, count: 3, custody: "kms" };
  const references = (await ask<{ edks: string[] }>("/kms/data-keys", kept)).edks;
  const context = { tenant: "development", account, document: crypto.randomUUID(), purpose: "document" };
  const nameOf = (edk: string) => {
    const { keyId, keyVersion } = JSON.parse(Buffer.from(edk.split(".")[1]!, "base64url").toString());
    return `${keyId}.${keyVersion}`;
  };
  await port.load({ way: "retained", account, keys: [nameOf(references[0]!)] });
  expect(await Promise.all(references.map((edk) => port.has(edk)))).toEqual([true, false, false]);
  expect((await port.load({ way: "retained", account })).others).toHaveLength(2);
  for (const edk of references) {
    const sealed = await new Response(port.seal({ edk, context }, new TextEncoder().encode("kept"))).bytes();
    expect(Buffer.from(sealed).includes(Buffer.from(edk))).toBe(true);
    expect(await new Response(port.open({ context }, sealed)).text()).toBe("kept");
  }
  // M11 of the tenant itself: by the owner whom the reference names.
  const ofTenant = { purpose: "document", count: 2, custody: "kms" };
  const own = (await ask<{ edks: string[] }>("/kms/data-keys", ofTenant)).edks;
  for (const edk of own) {
    const asked = requestFor(edk, certificate);
    if (asked.way !== "retained") throw new Error("not retained");
    await port.load(asked);
    const context = { tenant: "development", document: crypto.randomUUID(), purpose: "document" };
    const sealed = await new Response(port.seal({ edk, context }, new TextEncoder().encode("own"))).bytes();
    expect(await new Response(port.open({ context }, sealed)).text()).toBe("own");
  }
  // Who stands between has the wrapped keys too, with receipts: over a channel of their own they are refused.
  const { grant: third } = await ask<{ grant: string }>("/kms/grants", { edks: byGrant, certificate });
  const rewrapped = await ask<LoadAnswer>("/kms/loads", { way: "several", edks: byGrant, certificate });
  between = (presentation) => ownChannel(presentation, certificate, rewrapped);
  await expect(port.load({ way: "grant", grant: third, edks: byGrant })).rejects.toMatchObject({
    code: "key-refused",
  });
  microservice.close();
});

/** What an edge could answer that makes the HSM's end of the channel itself. */
async function ownChannel(body: Presentation, certificate: string, answer: LoadAnswer): Promise<Presented> {
  if (answer.way !== "several") throw new Error("not several");
  const recipient = await digest(decodeBase64url(certificate));
  const pair = (await crypto.subtle.generateKey("X25519", false, ["deriveKey"])) as CryptoKeyPair;
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const other = await crypto.subtle.importKey("raw", decodeBase64url(body.share), "X25519", true, []);
  const agreement = { name: "X25519", public: other };
  const agreed = await crypto.subtle.deriveKey(agreement, pair.privateKey, "HKDF", false, ["deriveKey"]);
  const info = await channelInfo({ ...body, recipient });
  const hkdf = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info };
  const aes = { name: "AES-GCM", length: 256 };
  const key = await crypto.subtle.deriveKey(hkdf, agreed, aes, false, ["encrypt"]);
  const iv = new Uint8Array(12);
  const plain = concat(...answer.keys.map(({ wrappedKey }) => decodeBase64url(wrappedKey)));
  const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, plain));
  return {
    share: encodeBase64url(raw),
    nonce: encodeBase64url(iv),
    sealed: encodeBase64url(sealed),
    receipts: answer.keys.map(({ receipt }) => receipt),
  };
}
