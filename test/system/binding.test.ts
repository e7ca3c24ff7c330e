/** M13: a microservice serves the one custodian that it was bound to, and refuses every other. */

import { createServer, type Server } from "node:http";
import type { Page } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { listen } from "../support/ports.ts";
import { openEnrolled, readRows, signIn, useSystemAndBrowser, withKit } from "./index.ts";

const running = useSystemAndBrowser({ otherApps: ["second"] });
const { system } = running;
let app: Page;

beforeAll(async () => {
  attack = await startAttack();
  app = await openEnrolled(running, "Ada");
});
afterAll(() => void attack?.server.close());

/** Documents of an attacker, by path, on a server of their own: same machine, same site, another origin, shared cookies. */
let attack: { server: Server; origin: string };
const documents: Record<string, () => string> = {
  "/": () => "<!doctype html><title>attack</title>",
  "/frame": () => `<!doctype html><iframe src="${system.appOrigin}/"></iframe>`,
};

async function startAttack(): Promise<typeof attack> {
  const server = createServer((request, response) => {
    response.setHeader("content-type", "text/html").end(documents[request.url ?? ""]?.() ?? "");
  });
  return { server, origin: `http://localhost:${await listen(server)}` };
}

/** A page of the attacker in the same browser profile as the victim's page. */
async function attacker(path = "/"): Promise<Page> {
  const page = await app.context().newPage();
  await page.goto(attack.origin + path);
  return page;
}

/** What a page gets when it opens the vault as a custodian would. */
const openVault = (page: Page) =>
  withKit(page, (kit, vault) => kit.refusal(kit.openVault(vault, document.body, 4000)), system.vaultOrigin);

it("M13 the page that it is bound to is served (positive control)", async () => {
  expect(await openVault(app)).toBe(null);
});

it("M13 another app's origin cannot frame the vault, sign in, or read the edge", async () => {
  const evil = await attacker();
  expect(await openVault(evil)).toBe("vault-unreachable");
  const read = await evil.evaluate(
    async (target) => {
      const answers: string[] = [];
      for (const url of [`${target.app}/accounts/a/documents`, `${target.vault}/configuration.json`]) {
        answers.push(
          await fetch(url, { credentials: "include" }).then(
            (response) => response.type,
            () => "refused",
          ),
        );
      }
      return answers;
    },
    { app: system.appOrigin, vault: system.vaultOrigin },
  );
  expect(read).toEqual(["refused", "refused"]);
  const asked = new URL("/authorize", system.vaultOrigin);
  asked.search = new URLSearchParams({
    response_type: "code",
    client_id: attack.origin,
    redirect_uri: `${attack.origin}/`,
    state: "s".repeat(43),
    code_challenge: "c".repeat(43),
    code_challenge_method: "S256",
    dpop_jkt: "j".repeat(43),
  }).toString();
  const answer = await loopbackFetch(asked);
  expect(answer.status).toBe(400);
  expect(answer.headers.get("location")).toBeNull();
  await evil.close();
});

it("M13 a page on another port of localhost reads no cookie of the vault, and cannot put one in its place", async () => {
  const evil = await attacker();
  expect(await evil.evaluate(() => document.cookie)).toBe("");
  const vault = await app.context().newPage();
  await vault.goto(`${system.vaultOrigin}/`);
  const session = () => vault.evaluate(async () => (await fetch("/session")).status);
  expect(await session()).toBe(200);
  const name = `coffer-${new URL(system.vaultOrigin).port}`;
  const plant = (path: string, age: number) =>
    evil.evaluate(
      (cookie) => {
        // biome-ignore lint/suspicious/noDocumentCookie: this is the attack
        document.cookie = cookie;
      },
      `${name}=${"p".repeat(43)}; path=${path}; max-age=${age}`,
    );
  await plant("/", 60);
  expect(await session(), "a script cannot overwrite what is HttpOnly").toBe(200);
  await plant("/session", 60);
  expect(await session(), "two are none").toBe(401);
  await plant("/session", 0);
  expect(await session()).toBe(200);
  await vault.close();
  await evil.close();
});

it("M13 the bound page inside another page is not served", async () => {
  const evil = await attacker("/frame");
  await evil.waitForLoadState();
  const framed = evil.frames().filter((frame) => frame.url().startsWith(system.appOrigin));
  for (const frame of framed) expect(await frame.evaluate(() => document.body.textContent)).toBe("");
  await evil.close();
});

it("M13 a second parent, though itself an app that the vault serves, gets neither the instance nor its keys", async () => {
  const second = await app.context().newPage();
  await signIn(second, { ...system, appOrigin: system.origin("second") }, "Ada");
  const own = await withKit(
    app,
    async (kit, vault) => {
      const coffer = await kit.connect({ vault });
      await coffer.prepare();
      const { instance } = coffer.microservice as {
        instance: { custodian: string; wrappingCertificate: string };
      };
      const rest = await kit.rest(vault);
      const { grant } = await rest.json<{ grant: string }>("POST", "/ra/grants", { json: {} });
      const body = { account: coffer.identity!.accounts[0]!.id, count: 1, purpose: "document" };
      const { edks } = await rest.json<{ edks: string[] }>("POST", "/kms/data-keys", { json: body });
      return { dn: instance.custodian, certificate: instance.wrappingCertificate, grant, edk: edks[0]! };
    },
    system.vaultOrigin,
  );
  const tried = await withKit(
    second,
    async (kit, { vault, own }) => {
      const coffer = await kit.connect({ vault });
      const { port } = await kit.openVault(vault, document.body);
      const microservice = kit.createPortClient(port);
      // It claims to be the first custodian: same user, same browser, same vault, another origin.
      const hello = await kit.refusal(microservice.hello(own.dn));
      await microservice.hello(coffer.identity!.custodian.dn);
      const rest = await kit.rest(vault);
      return {
        dn: coffer.identity!.custodian.dn,
        hello,
        grant: await kit.refusal(microservice.enrol({ method: "grant", grant: own.grant })),
        certificate: await kit.refusal(
          rest.json("POST", "/kms/loads", {
            json: { way: "rewrap", edk: own.edk, certificate: own.certificate },
          }),
        ),
      };
    },
    { vault: system.vaultOrigin, own },
  );
  expect(tried.dn).not.toBe(own.dn);
  expect(tried.hello, "the instance of the first app").toBe("foreign-custodian");
  expect(tried.grant).toBe("foreign-custodian");
  expect(tried.certificate).toBe("foreign-custodian");
  await second.close();
});

it("M13 one vault frame hands one microservice to one page: a second connect is refused", async () => {
  const answers = await withKit(
    app,
    async (kit, vault) => {
      const frame = document.createElement("iframe");
      frame.src = vault;
      const heard: string[] = [];
      const ready = new Promise<void>((resolve) => {
        addEventListener("message", ({ data, source }) => {
          if (source !== frame.contentWindow) return;
          heard.push(data.type);
          if (data.type === "coffer-vault-ready") resolve();
        });
      });
      document.body.append(frame);
      await ready;
      const first = new MessageChannel();
      const second = new MessageChannel();
      for (const { port2 } of [first, second]) {
        frame.contentWindow!.postMessage({ type: "coffer-connect", version: 1 }, vault, [port2]);
      }
      const coffer = await kit.connect({ vault });
      const served = await kit.createPortClient(first.port1).hello(coffer.identity!.custodian.dn);
      return { heard, served: served.version };
    },
    system.vaultOrigin,
  );
  expect(answers).toEqual({ heard: ["coffer-vault-ready", "coffer-vault-refused"], served: 1 });
});

it("M13 M20 before its hello a page is told to greet, and after a message with a CryptoKey in it nothing more", async () => {
  const answers = await withKit(
    app,
    async (kit, vault) => {
      const coffer = await kit.connect({ vault });
      const custodian = coffer.identity!.custodian.dn;
      const call = (id: number, op: string, params: unknown) => ({ v: 1, type: "call", id, op, params });
      const hello = (id: number) => call(id, "hello", { versions: [1], custodian });
      const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt"]);
      const answerOn = (port: MessagePort, ...messages: object[]) =>
        new Promise<string>((resolve) => {
          port.onmessage = ({ data }) => resolve(data.code ?? data.type);
          for (const message of messages) port.postMessage(message);
        });
      /** What the first message is answered with, on a port of its own, and the second; a port that is still open answers the hello behind that. */
      const answers = async (first: object, second: object) => {
        const { port } = await kit.openVault(vault, document.body);
        const told = await answerOn(port, first);
        const another = async () => answerOn((await kit.openVault(vault, document.body)).port, hello(1));
        // That another vault has been opened and has answered meanwhile is how long is waited for nothing.
        const nothing = async () => ((await another()) === "result" ? "nothing" : "no vault");
        return [told, await Promise.race([answerOn(port, second, hello(9)), nothing()])];
      };
      return {
        early: await answers(call(1, "standing", {}), hello(2)),
        plain: await answers(hello(1), call(2, "has", { edk: "e30.e30.AA" })),
        key: await answers(hello(1), call(2, "has", { edk: key })),
        hidden: await answers(hello(1), call(2, "has", { edk: "e30.e30.AA", key })),
        frame: await answers(hello(1), { ...call(2, "has", { edk: "e30.e30.AA" }), key }),
      };
    },
    system.vaultOrigin,
  );
  expect(answers).toEqual({
    early: ["hello-required", "result"],
    plain: ["result", expect.not.stringMatching("nothing")],
    key: ["result", "nothing"],
    hidden: ["result", "nothing"],
    frame: ["result", "nothing"],
  });
});

it("M13 a script in the app's page cannot enrol a microservice of its own on the RA", async () => {
  const before = readRows(system.edgeDir, "enrolments").length;
  const tried = await withKit(
    app,
    async (kit, vault) => {
      const rest = await kit.rest(vault);
      const json = { method: "POST", body: "{}", headers: { "content-type": "application/json" } };
      const post = (url: string, init: RequestInit) =>
        fetch(url, init).then(
          (response) => `${response.type} ${response.status}`,
          () => "refused",
        );
      return {
        // With the user's cookie: app and vault are one site, so the browser would send it.
        withCookie: await post(`${vault}/ra/enrolments`, { ...json, credentials: "include" }),
        simple: await post(`${vault}/ra/enrolments`, {
          method: "POST",
          body: "{}",
          mode: "no-cors",
          credentials: "include",
        }),
        atTheApp: await kit.refusal(rest.json("POST", "/ra/enrolments", { json: {} })),
      };
    },
    system.vaultOrigin,
  );
  expect(tried.withCookie).toBe("refused");
  expect(["refused", "opaque 0"]).toContain(tried.simple);
  expect(tried.atTheApp).toBe("not-found");
  expect(readRows(system.edgeDir, "enrolments").length).toBe(before);
});

it("M13 the RA itself refuses a foreign Origin, whatever cookie comes with it", async () => {
  const cookies = await app.context().cookies(system.vaultOrigin);
  const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
  expect(cookie).not.toBe("");
  const ask = async (headers: Record<string, string>) => {
    const options = {
      method: "POST",
      body: "{}",
      headers: { "content-type": "application/json", ...headers },
    };
    const answer = await loopbackFetch(`${system.vaultOrigin}/ra/enrolments`, options);
    return { status: answer.status, code: ((await answer.json()) as { code?: string }).code };
  };
  expect(await ask({ cookie, origin: system.vaultOrigin }), "the vault itself").toMatchObject({
    status: 201,
  });
  expect(await ask({ cookie, origin: system.appOrigin })).toEqual({ status: 403, code: "foreign-origin" });
  expect(await ask({ cookie, origin: attack.origin })).toEqual({ status: 403, code: "foreign-origin" });
  expect(await ask({ cookie })).toEqual({ status: 403, code: "foreign-origin" });
  expect(await ask({ origin: system.vaultOrigin })).toMatchObject({ status: 401 });
  // The page cannot read the cookie, and no header of the vault opens it to others.
  expect(cookies.every(({ httpOnly, sameSite }) => httpOnly && sameSite === "Strict")).toBe(true);
});
