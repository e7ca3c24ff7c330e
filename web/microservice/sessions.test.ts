import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { PortClient } from "#protocol/port/index.ts";
import { type Authority, DN, makeAuthority, ORIGIN } from "./authority.fixture.ts";
import { collect, context, lives, refuse, TestBrowser } from "./browser.fixture.ts";
import type { SessionOwner } from "./registration.ts";

// RSA keys are made for every enrolment: a second each, several when the machine is busy.
vi.setConfig({ testTimeout: 30_000 });

let authority: Authority;
let browser: TestBrowser;
beforeAll(async () => {
  authority = await makeAuthority();
});
beforeEach(() => {
  browser = new TestBrowser(authority);
});

describe("sessions", () => {
  it("M13 serves the custodian that the vault's own session names, whatever a page says", async () => {
    const { client } = await browser.enrolledClient();
    const names = [
      DN.replace("u-1", "u-2"),
      DN.replace(ORIGIN, "https://other.example"),
      DN.replace("acme", "umbrella"),
    ];
    for (const name of [...names, "CN=u-1", "O=acme"]) {
      await expect(client.hello(name)).rejects.toMatchObject({ code: "foreign-custodian" });
      await expect(browser.start().client.hello(name)).rejects.toMatchObject({ code: "foreign-custodian" });
    }
    const elsewhere = browser.start(browser.registration(), "https://other.example").client;
    await expect(elsewhere.hello(DN)).rejects.toMatchObject({ code: "foreign-custodian" });
    expect((await elsewhere.hello(names[1]!)).instance).toBeNull();
    expect((await client.hello(DN)).instance).not.toBeNull();
  });

  it("M13 without a session uses nothing that is stored, nor what is in memory", async () => {
    const { client, instance } = await browser.enrolledClient();
    const key = await authority.release(instance.wrappingCertificate);
    await client.load(key);
    browser.session = refuse("no-session");
    const { client: reloaded } = browser.start();
    await expect(reloaded.hello(DN)).rejects.toMatchObject({ code: "no-session" });
    await expect(reloaded.has(key.edk)).rejects.toMatchObject({ code: "hello-required" });
    await expect(client.hello(DN)).rejects.toMatchObject({ code: "no-session" });
    await expect(client.has(key.edk)).rejects.toMatchObject({ code: "not-enrolled" });
    browser.session = refuse("internal");
    await expect(browser.start().client.hello(DN)).rejects.toMatchObject({ code: "internal" });
  });

  it("M18 without a network serves the stored instance, to the name that it was enrolled for", async () => {
    const { instance } = await browser.enrolledClient();
    browser.session = refuse("offline");
    expect((await browser.start().client.hello(DN)).instance).toEqual(instance);
    expect((await browser.start().client.hello(DN.replace("u-1", "u-2"))).instance).toBeNull();
  });

  it("another user's sign-in deletes what the one before left, so that nothing of it is there without a network", async () => {
    const { instance, client } = await browser.enrolledClient();
    await client.load(await authority.release(instance.wrappingCertificate));
    browser.session = () => ({ tenant: "acme", user: "u-2", session: "s-2" });
    expect((await browser.start().client.hello(DN.replace("u-1", "u-2"))).instance).toBeNull();
    expect([browser.store.instances.size, browser.store.keys.size]).toEqual([0, 0]);
    browser.session = refuse("offline");
    expect((await browser.start().client.hello(DN)).instance).toBeNull();
  });

  /** The instance of another app in the same browser and session. */
  const OTHER = "https://other.example";
  const otherDn = DN.replace(ORIGIN, OTHER);
  async function otherApp() {
    const its = { custodian: otherDn, origin: OTHER, instance: "i-2" };
    const other = browser.start(
      browser.registration(async () => its, { custodian: otherDn }),
      OTHER,
    ).client;
    await other.hello(otherDn);
    await other.enrol({ method: "grant", grant: "grant" });
    return other;
  }

  it.each<[string, () => SessionOwner, string]>([
    ["there is no session any more", refuse("no-session"), "u-1"],
    ["another user has signed in", () => ({ tenant: "acme", user: "u-2", session: "s-2" }), "u-2"],
    ["the same user has signed in again", () => ({ tenant: "acme", user: "u-1", session: "s-3" }), "u-1"],
    ["the tenant is another", () => ({ tenant: "umbrella", user: "u-1", session: "s-4" }), "u-1"],
  ])("ends the instances of all apps when one learns that %s", async (_, now, user) => {
    const { client, instance } = await browser.enrolledClient();
    const other = await otherApp();
    await client.load(await authority.release(instance.wrappingCertificate));
    expect(browser.store.instances.size).toBe(2);
    browser.session = now;
    await browser
      .start()
      .client.hello(DN.replace("u-1", user))
      .catch(() => {});
    expect([browser.store.instances.size, browser.store.keys.size]).toEqual([0, 0]);
    expect([await lives(client), await lives(other)]).toEqual(["not-enrolled", "not-enrolled"]);
    browser.session = refuse("offline");
    for (const [origin, dn] of [
      [ORIGIN, DN],
      [OTHER, otherDn],
    ] as const)
      expect((await browser.start(browser.registration(), origin).client.hello(dn)).instance).toBeNull();
  });

  it("a reload in the same session ends nothing, and neither does trouble at the edge", async () => {
    const { client } = await browser.enrolledClient();
    const other = await otherApp();
    await browser.start().client.hello(DN);
    browser.session = refuse("internal");
    await expect(browser.start().client.hello(DN)).rejects.toMatchObject({ code: "internal" });
    expect([await lives(client), await lives(other)]).toEqual([null, null]);
    expect(browser.store.instances.size).toBe(2);
  });

  it("forgetting one app's instances tells its other tabs, and no other app", async () => {
    const { client } = await browser.enrolledClient();
    const other = await otherApp();
    await browser.start().client.forget();
    expect([await lives(client), await lives(other)]).toEqual(["not-enrolled", null]);
    expect([...browser.store.instances.values()].map(({ origin }) => origin)).toEqual([OTHER]);
  });

  it("an instance of an earlier release, which names no session, is replaced with a network and serves without", async () => {
    await browser.enrolledClient();
    const [record] = browser.store.instances.values();
    delete record!.session;
    browser.session = refuse("offline");
    expect((await browser.start().client.hello(DN)).instance).not.toBeNull();
    browser.session = () => ({ tenant: "acme", user: "u-1", session: "s-1" });
    expect((await browser.start().client.hello(DN)).instance).toBeNull();
    expect(browser.store.instances.size).toBe(0);
  });

  it("an instance that has run out is deleted, by the clock and at the next load without a network", async () => {
    const { client } = await browser.enrolledClient();
    const other = await otherApp();
    const [record] = browser.store.instances.values();
    browser.pass(record!.notAfter - browser.now);
    expect([await lives(client), await lives(other)]).toEqual(["not-enrolled", "not-enrolled"]);
    expect(browser.store.instances.size).toBe(0);
    browser.store.instances.set("left", record!);
    browser.session = refuse("offline");
    await browser.start().client.hello(DN);
    expect(browser.store.instances.size).toBe(0);
  });

  it("an end stops what streams through, and an enrolment under way in another tab", async () => {
    const { client, instance } = await browser.enrolledClient();
    const key = await authority.release(instance.wrappingCertificate);
    await client.load(key);
    let more = (_: Uint8Array) => {};
    const source = new ReadableStream<Uint8Array>({
      start(controller) {
        more = (chunk) => controller.enqueue(chunk);
      },
    });
    const sealed = client.seal({ edk: key.edk, context }, source);
    const reading = collect(sealed);
    reading.catch(() => {});
    more(new Uint8Array(300_000));
    const slow = browser.registration();
    const enrolling = browser.start({
      ...slow,
      async redeem(id, body) {
        browser.session = refuse("no-session");
        await browser
          .start()
          .client.hello(DN)
          .catch(() => {});
        return slow.redeem(id, body);
      },
    }).client;
    await enrolling.hello(DN);
    await expect(enrolling.enrol({ method: "grant", grant: "grant" })).rejects.toMatchObject({
      code: "no-session",
    });
    const late = new Promise((resolve) => setTimeout(() => resolve("it goes on"), 2000));
    await expect(Promise.race([reading, late])).rejects.toMatchObject({ code: "no-session" });
    expect(browser.store.instances.size).toBe(0);
  });

  it("a sign-out during an enrolment leaves nothing behind", async () => {
    const slow = browser.registration();
    let client: PortClient;
    ({ client } = browser.start({
      ...slow,
      async redeem(id, body) {
        await client.forget();
        return slow.redeem(id, body);
      },
    }));
    await client.hello(DN);
    await expect(client.enrol({ method: "grant", grant: "grant" })).rejects.toMatchObject({
      code: "no-session",
    });
    expect(browser.store.instances.size).toBe(0);
  });

  it("forgets its keys, certificates and loaded keys when asked to, for a sign-out", async () => {
    const { client, instance } = await browser.enrolledClient();
    const key = await authority.release(instance.wrappingCertificate);
    await client.load(key);
    await client.forget();
    expect([browser.store.instances.size, browser.store.keys.size]).toEqual([0, 0]);
    await expect(client.has(key.edk)).rejects.toMatchObject({ code: "not-enrolled" });
    expect((await browser.start().client.hello(DN)).instance).toBeNull();
  });

  it("forgets without a hello and without a session: a page that has only just been loaded can sign out", async () => {
    const { client, instance } = await browser.enrolledClient();
    await client.load(await authority.release(instance.wrappingCertificate));
    browser.session = refuse("no-session");
    await browser.start(browser.registration(), "https://other.example").client.forget();
    expect(browser.store.instances.size).toBe(1);
    await browser.start().client.forget();
    expect([browser.store.instances.size, browser.store.keys.size]).toEqual([0, 0]);
  });
});
