/**
 * docs/examples/own-worker: the microservice as a dependency in a Worker of the app's own origin, of the packed package, in Chromium. The app's server
 * is the example's; what is not the microservice's is asked with the custodian's tokens, as any page's kit has them.
 */

import { cpSync, readFileSync } from "node:fs";
import {
  createServer,
  request as forward,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import type { Page } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { PortClient } from "#protocol/port/index.ts";
import type { Coffer, Identity, Vault } from "#web/browser/index.ts";
import { bytesOf, violations } from "../chromium/rules.ts";
import { scanBytes } from "../memory/index.ts";
import {
  needlesOf,
  typeName,
  useSystemAndBrowser,
  watchKeys,
  watchTraffic,
  withKit,
} from "../system/index.ts";
import { type Project, packPackage } from "./installed.ts";

const EXAMPLE = "docs/examples/own-worker";
const running = useSystemAndBrowser({ otherApps: ["own"], passedOn: ["own"], record: true });
const { system, browsing } = running;
const watched = watchKeys();
const traffic = watchTraffic();
/** What the app's server has passed on to the vault. */
const asked: string[] = [];
let project: Project;
let server: Server;
let page: Page;

type Own = {
  coffer: Promise<Coffer>;
  rootKey: Uint8Array<ArrayBuffer>;
  startMicroservice(rootKey: Uint8Array<ArrayBuffer>, identity: Identity): Vault;
  createPortClient(port: MessagePort): PortClient;
};

const own = () => system.origin("own");

/** One file for a browser, of what a project with the package has. */
async function bundled(contents: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: project.folder },
    ...{ bundle: true, write: false, format: "esm", target: "es2024", platform: "browser" },
    external: ["node:*"],
  });
  return outputFiles[0]!.text;
}

/** The policy that docs/apps.md gives for it. */
function documentedPolicy(): string {
  const documented = readFileSync(join(project.kit, "docs/apps.md"), "utf8");
  return (
    [...documented.matchAll(/```\n(default-src [^\n]+)\n```/g)].map(([, policy = ""]) => policy)[1] ?? ""
  );
}

beforeAll(async () => {
  project = packPackage().install("own-worker");
  cpSync(join(project.kit, EXAMPLE), join(project.folder, "app"), { recursive: true });
  const { vaultOrigin, appOrigin, running: started } = system;
  const rootKey = Buffer.from(started.rootKey).toString("base64");
  const policy = documentedPolicy().replaceAll("VAULT", vaultOrigin);
  const files: Record<string, [string, string]> = {
    "/": ["text/html", `<!doctype html><title>App</title><script type="module" src="/app.js"></script>`],
    "/worker.js": ["text/javascript", await bundled(`import "./app/worker.js";`)],
    "/app.js": [
      "text/javascript",
      await bundled(`
        import { start, startMicroservice } from "./app/app.js";
        import { createPortClient } from "@coffer/kit/microservice";
        const rootKey = Uint8Array.from(atob(${JSON.stringify(rootKey)}), (byte) => byte.charCodeAt(0));
        const coffer = start(${JSON.stringify(vaultOrigin)}, rootKey);
        globalThis.own = { coffer, rootKey, startMicroservice, createPortClient };
        coffer.then(() => { document.title = "Signed in"; });
      `),
    ],
  };
  const { answerMicroservice } = (await import(
    /* @vite-ignore */ pathToFileURL(join(project.kit, EXAMPLE, "server.js")).href
  )) as {
    answerMicroservice(request: IncomingMessage, response: ServerResponse, vault: string): Promise<boolean>;
  };
  server = createServer(async (request, response) => {
    const { method = "GET", url = "/", headers } = request;
    const file = files[url.split("?")[0]!];
    if (method === "GET" && file) {
      response.setHeader("content-type", `${file[0]}; charset=utf-8`);
      response.setHeader("content-security-policy", policy);
      response.end(file[1]);
      return;
    }
    if (await answerMicroservice(request, response, vaultOrigin)) {
      asked.push(`${method} ${url.replace(/enrolments\/.+/, "enrolments/…")} ${response.statusCode}`);
      return;
    }
    const onward = forward(new URL(url, appOrigin), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.rawHeaders);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(Number(new URL(own()).port), resolve));
  ({ page } = await browsing.open());
  await page.goto(`${own()}/`);
  await typeName(page, "Ada");
  await page.getByRole("button", { name: "Continue as Ada" }).click();
  await page.waitForFunction(() => document.title === "Signed in", undefined, { timeout: 60_000 });
}, 300_000);
afterAll(() => {
  watched.stop();
  traffic.stop();
  server?.close();
  server?.closeAllConnections();
});

/** What the custodian sends and gets, at the port and over HTTP, as it passes. */
const claim = () =>
  withKit(
    page,
    async (kit, vaultOrigin) => {
      const { coffer, rootKey, startMicroservice, createPortClient } = (globalThis as unknown as { own: Own })
        .own;
      const identity = (await coffer).identity!;
      const trace: string[] = [];
      const send = globalThis.fetch;
      globalThis.fetch = async (input, init) => {
        const { pathname } = new URL(String(input instanceof Request ? input.url : input), location.href);
        if (!/^\/(kms|ra)\//.test(pathname)) return send(input, init);
        trace.push(`custodian asks ${pathname}`);
        const answer = await send(input, init);
        trace.push(`custodian gets ${answer.status} of ${pathname}`);
        return answer;
      };
      const rest = await kit.rest(vaultOrigin);
      const started = startMicroservice(rootKey, identity);
      const calls = new Map<number, string>();
      const post = started.port.postMessage.bind(started.port);
      started.port.postMessage = (message: { type: string; id: number; op: string }, transfer: never) => {
        if (message.type === "call") {
          calls.set(message.id, message.op);
          trace.push(`custodian → microservice: ${message.op}`);
        }
        post(message, transfer);
      };
      started.port.addEventListener("message", ({ data }) => {
        if (data.type === "result" || data.type === "end")
          trace.push(`microservice → custodian: ${data.type} of ${calls.get(data.id)}`);
      });
      const port = createPortClient(started.port);
      const { dn } = identity.custodian;
      const instantiated = await port.hello(dn);
      const json = { custodian: dn };
      const { secretZero } = await rest.json<{ secretZero: string }>("POST", "/ra/secret-zeros", { json });
      const instance = await port.enrol({ method: "secret-zero", secretZero });
      const order = { count: 1, purpose: "document" };
      const { edks } = await rest.json<{ edks: [string] }>("POST", "/kms/data-keys", { json: order });
      const [edk] = edks;
      const certificate = await port.certificate();
      const request = { way: "rewrap", edk, certificate };
      const load = await rest.json<Parameters<typeof port.load>[0]>("POST", "/kms/loads", { json: request });
      await port.load(load);
      const context = { tenant: identity.tenant, document: crypto.randomUUID(), purpose: "document" };
      const sealed = await new Response(
        port.seal({ edk, context }, new TextEncoder().encode("claim 1")),
      ).bytes();
      const opened = await new Response(port.open({ context }, sealed)).text();
      started.remove();
      globalThis.fetch = send;
      const same = certificate === instance.wrappingCertificate && instance.custodian === dn;
      return { trace, edk, opened, same, before: instantiated.instance, method: instance.method };
    },
    system.vaultOrigin,
  );

it("B1 B7 in Chromium, a Worker of the app's own origin with the microservice of the installed package: the whole of the claim, message by message", async () => {
  const shown = await claim();
  expect(shown).toMatchObject({ opened: "claim 1", same: true, before: null, method: "secret-zero" });
  const asks = (path: string, status: number) => [
    `custodian asks ${path}`,
    `custodian gets ${status} of ${path}`,
  ];
  const calls = (operation: string, by = "result") => [
    `custodian → microservice: ${operation}`,
    `microservice → custodian: ${by} of ${operation}`,
  ];
  expect(shown.trace).toEqual([
    ...calls("hello"),
    ...asks("/ra/secret-zeros", 201),
    ...calls("enrol"),
    ...asks("/kms/data-keys", 201),
    ...calls("certificate"),
    ...asks("/kms/loads", 200),
    ...calls("load"),
    ...calls("seal", "end"),
    ...calls("open", "end"),
  ]);
  const edk = JSON.parse(Buffer.from(shown.edk.split(".")[1]!, "base64url").toString());
  expect(edk).toMatchObject({ wrapping: "A256KWP", masterKey: expect.any(String) });
  expect(edk).not.toHaveProperty("account");
  const batches = traffic.requests().map(({ items }) => items.map(({ operation }) => operation).join(" "));
  expect(batches).toContain("Create Get Destroy");
  expect(batches).toContain("Import Get Revoke Destroy");
});

/** By the kit; the code of what went wrong otherwise. */
const sealAndOpen = () =>
  page.evaluate(async () => {
    const coffer = await (globalThis as unknown as { own: Own }).own.coffer;
    try {
      const { id } = await coffer.seal(new File(["a letter"], "letter.txt"));
      const { name, stream } = await coffer.open(id);
      const { microservice } = coffer;
      const method = microservice.phase === "ready" && microservice.instance.method;
      const frames = document.querySelectorAll("iframe").length;
      return { name, text: await new Response(stream).text(), method, frames };
    } catch (error) {
      return String((error as { code?: string }).code ?? error);
    }
  });

it("M15 the kit seals and opens by it, in the place of the vault's, and the app's server passes on what it asks as it is", async () => {
  asked.length = 0;
  const shown = await sealAndOpen();
  expect(shown).toEqual({ name: "letter.txt", text: "a letter", method: "secret-zero", frames: 0 });
  // The account's metadata key is one that the KMS retains: the microservice asks for it itself.
  expect(asked).toEqual(["POST /ra/enrolments 201", "POST /ra/enrolments/… 200", "POST /retained-keys 200"]);
  const other = await fetch(`${own()}/session`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  expect(other.status).toBe(404);
  expect(asked).toHaveLength(3);
});

it("Promise 2 of a Worker of the app's own origin: key bytes stay out of JavaScript, and no key of the instance is where another script could use it", async () => {
  expect(await sealAndOpen()).toMatchObject({ text: "a letter" });
  const { calls, failures } = browsing.recorder!;
  expect(failures).toEqual([]);
  expect(violations(calls)).toEqual([]);
  const instrumented = calls.filter(({ method }) => method === "instrumented");
  expect(instrumented.map(({ realm, origin }) => `${realm} ${origin}`)).toContain(`worker ${own()}`);
  const unwrapped = browsing
    .recorder!.crypto()
    .filter(({ method, error }) => method === "unwrapKey" && !error);
  expect(unwrapped.length).toBeGreaterThan(1);
  expect(new Set(unwrapped.map(({ realm, origin }) => `${realm} ${origin}`))).toEqual(
    new Set([`worker ${own()}`]),
  );
  expect(watched.ofClass("data").length).toBeGreaterThan(0);
  expect(scanBytes(bytesOf(calls), needlesOf(watched.keys), "calls")).toEqual([]);
  // What IndexedDB of the origin has any script of it can use; the key of the sign-in is there, and none that unwraps or decrypts.
  const usages = await page.evaluate(async () => {
    const found: string[] = [];
    const look = (value: unknown): void => {
      if (value instanceof CryptoKey) found.push(...value.usages);
      else if (typeof value === "object" && value !== null) for (const one of Object.values(value)) look(one);
    };
    const of = <T>(request: IDBRequest<T>) =>
      new Promise<T>((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    for (const { name = "" } of await indexedDB.databases()) {
      const database = await of(indexedDB.open(name));
      for (const store of database.objectStoreNames)
        for (const value of await of(database.transaction(store).objectStore(store).getAll())) look(value);
      database.close();
    }
    return [...new Set(found)];
  });
  expect(usages).toEqual(["sign"]);
});
