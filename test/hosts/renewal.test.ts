/** A renewal while keys are on their way: nothing that the instance or its custodian has goes with the certificates before. */

import { beforeAll, expect, it } from "vitest";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { utf8 } from "#protocol/bytes.ts";
import { codeOf } from "#protocol/error.ts";
import type { Load } from "#protocol/keys/index.ts";
import { createPortClient } from "#protocol/port/index.ts";
import { startMicroservice } from "#web/hosts/node/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json } from "../support/http.ts";
import { useSystem } from "../system/index.ts";

const system = useSystem({ vars: { COFFER_INSTANCE_SECONDS: "40" } });
let ann: EdgeClient;
beforeAll(async () => {
  ann = await EdgeClient.signedIn(system, "Ann");
});

it("M7 M10 M13 in Node a renewal whose answers are lost, in the middle of loads and with entrusted keys outside, loses nothing", async () => {
  let lost = 0;
  let isRenewed = (): void => {};
  const renewed = new Promise<void>((resolve) => {
    isRenewed = resolve;
  });
  const lossy: typeof fetch = async (input, init) => {
    const headers = { ...(init?.headers as Record<string, string>), origin: ann.vault };
    const answer = await loopbackFetch(input, { ...init, headers });
    const { pathname } = new URL(String(input));
    if (pathname === "/presentations") await renewed;
    if (pathname !== "/ra/renewals" || lost === 2) return answer;
    lost++;
    throw new TypeError("the connection broke off");
  };
  const { dn } = ann.tokens.custodian;
  const options = { vault: ann.vault, origin: ann.app, fetch: lossy, custodian: dn };
  const started = startMicroservice({ ...options, rootKey: system.running.rootKey });
  const port = createPortClient(started.port);
  await port.hello(dn);
  const order = { custodian: dn };
  const { secretZero } = json<{ secretZero: string }>(await ann.rest("POST", "/ra/secret-zeros", order));
  const first = await port.enrol({ method: "secret-zero", secretZero });
  const certificate = first.wrappingCertificate;
  const wanted = { account: ann.account, count: 5, purpose: "document" };
  const { edks } = json<{ edks: string[] }>(await ann.rest("POST", "/kms/data-keys", wanted));
  const [entrusted = "", kept = "", late = "", granted = "", slow = ""] = edks;
  const rewrapped = async (edk: string) =>
    json<Load>(await ann.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate }));
  await port.load(await rewrapped(entrusted));
  await port.load(await rewrapped(kept));
  const context = {
    tenant: "development",
    account: ann.account,
    document: crypto.randomUUID(),
    purpose: "document",
  };
  const sealed = await new Response(port.seal({ edk: entrusted, context }, utf8("before it"))).blob();
  const [key = ""] = await port.entrust([entrusted]);
  // These have left the KMS, and not come here yet.
  const onItsWay = await rewrapped(late);
  const grantFor = async (edk: string) =>
    json<{ grant: string }>(await ann.rest("POST", "/kms/grants", { edks: [edk], certificate, life: 60 }))
      .grant;
  const grant = await grantFor(granted);
  const underWay = port.load({ way: "grant", grant: await grantFor(slow), edks: [slow] });
  const current = async () => (await port.hello(dn)).instance;
  await expect.poll(async () => (await current())?.id, { timeout: 60_000 }).not.toBe(first.id);
  expect(lost).toBe(2);
  isRenewed();
  expect(await underWay.then(() => "loaded", codeOf)).toBe("loaded");
  expect(await port.has(slow)).toBe(true);
  expect(await new Response(port.open({ context, key }, sealed)).text().catch(codeOf)).toBe("before it");
  expect(await port.has(kept)).toBe(true);
  await port.load(onItsWay);
  const byGrant = port.load({ way: "grant", grant, edks: [granted] });
  expect(await byGrant.then(() => "loaded", codeOf)).toBe("loaded");
  expect(await port.has(granted)).toBe(true);
  await port.lock();
  expect(await port.has(kept), "out of the store").toBe(true);
  started.close();
});
