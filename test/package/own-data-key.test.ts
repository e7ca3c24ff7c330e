/** The second patent's claims 1 and 2 in Node, with the microservice of the installed package: every message, as it passed. */

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { encodeBase64url } from "#protocol/base64url.ts";
import { memoryStore } from "#web/hosts/node/index.ts";
import type * as Package from "#web/microservice/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json } from "../support/http.ts";
import { useSystem, watchTraffic } from "../system/index.ts";
import type { Archive } from "./after-restart.ts";
import { packPackage } from "./installed.ts";

const system = useSystem();
const traffic = watchTraffic();
const trace: string[] = [];
const open: (() => void)[] = [];
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
let module: string;
let kit: typeof Package;
let custodian: EdgeClient;
let edk: string;
let sealed: Uint8Array<ArrayBuffer>;
const context = { tenant: "development", document: crypto.randomUUID(), purpose: "document" };

beforeAll(async () => {
  const { kit: folder } = packPackage().install("project");
  module = pathToFileURL(join(folder, "dist/package/microservice.js")).href;
  kit = await import(/* @vite-ignore */ module);
  custodian = await EdgeClient.signedIn(system, "Ann");
});
afterAll(() => {
  for (const close of open) close();
  traffic.stop();
});

/** Starts a microservice behind a port whose messages are noted. */
function instantiate(): Package.PortClient {
  const { vaultOrigin: vault, appOrigin: origin } = system;
  const withCookie: typeof fetch = (input, init) =>
    fetch(input, {
      ...init,
      headers: { ...(init?.headers as Record<string, string>), origin: vault, cookie: custodian.cookie },
    });
  const { port1, port2 } = new MessageChannel();
  const calls = new Map<number, string>();
  const post = port2.postMessage.bind(port2);
  port2.postMessage = (message: { type: string; id: number; op: string }, transfer: never) => {
    if (message.type === "call") {
      calls.set(message.id, message.op);
      trace.push(`custodian → microservice: ${message.op}`);
    }
    post(message, transfer);
  };
  port2.addEventListener("message", ({ data }) => {
    if (data.type === "result" || data.type === "end")
      trace.push(`microservice → custodian: ${data.type} of ${calls.get(data.id)}`);
  });
  const microservice = kit.createMicroservice({
    crypto: kit.captureCrypto(globalThis.crypto),
    store: memoryStore(),
    registration: kit.restRegistration(withCookie, vault),
    rootKey: system.running.rootKey,
    origin,
    measurement: "unmeasured",
    now: Date.now,
    schedule: (task, delay) => void setTimeout(task, delay).unref(),
  });
  open.push(kit.servePort(port1, microservice));
  return kit.createPortClient(port2);
}

async function ask<T>(path: string, body: object = {}): Promise<T> {
  trace.push(`custodian asks ${path}`);
  const answer = await custodian.rest("POST", path, body);
  trace.push(`custodian gets ${answer.status} of ${path}`);
  expect(answer.status, answer.text).toBeLessThan(300);
  return json<T>(answer);
}

const asks = (path: string, status: number) => [
  `custodian asks ${path}`,
  `custodian gets ${status} of ${path}`,
];
const calls = (operation: string, by = "result") => [
  `custodian → microservice: ${operation}`,
  `microservice → custodian: ${by} of ${operation}`,
];

async function enrolled(): Promise<Package.PortClient> {
  const port = instantiate();
  await port.hello(custodian.tokens.custodian.dn);
  const { grant } = await ask<{ grant: string }>("/ra/grants");
  await port.enrol({ method: "grant", grant });
  return port;
}

async function handOver(port: Package.PortClient): Promise<void> {
  const certificate = await port.certificate();
  await port.load(await ask("/kms/loads", { way: "rewrap", edk, certificate }));
}

/** Up to the sealed document. */
async function claim(): Promise<Package.PortClient> {
  const port = await enrolled();
  const order = { count: 1, purpose: "document" };
  ({
    edks: [edk],
  } = await ask<{ edks: [string] }>("/kms/data-keys", order));
  await handOver(port);
  sealed = await new Response(port.seal({ edk, context }, new TextEncoder().encode("claim 1"))).bytes();
  return port;
}

it("B1 in Node, from the installed package: instantiate, encrypted data key, wrapping certificate, rewrap, hand over, use", async () => {
  const port = await claim();
  expect(await new Response(port.open({ context }, sealed)).text()).toBe("claim 1");
  expect(trace.splice(0)).toEqual([
    ...calls("hello"),
    ...asks("/ra/grants", 201),
    ...calls("enrol"),
    ...asks("/kms/data-keys", 201),
    ...calls("certificate"),
    ...asks("/kms/loads", 200),
    ...calls("load"),
    ...calls("seal", "end"),
    ...calls("open", "end"),
  ]);
  const batches = traffic.requests().map(({ items }) => items.map(({ operation }) => operation).join(" "));
  expect(batches).toContain("Create Get Destroy");
  expect(batches).toContain("Import Get Revoke Destroy");
  const made = JSON.parse(Buffer.from(edk.split(".")[1]!, "base64url").toString());
  expect(made).toMatchObject({ wrapping: "A256KWP", masterKey: expect.any(String) });
  expect(made).not.toHaveProperty("account");
});

it("B2 in Node: a custodian that starts anew as another process has the archived data key rewrapped to its new microservice", async () => {
  await claim();
  for (const close of open.splice(0)) close();
  const file = join(mkdtempSync(join(tmpdir(), "coffer-archive-")), "archive.json");
  const { appOrigin, vaultOrigin, running } = system;
  const archive: Archive = {
    ...{ module, context, edk, user: "Ann", origins: { appOrigin, vaultOrigin } },
    rootKey: encodeBase64url(running.rootKey),
    sealed: encodeBase64url(sealed),
  };
  writeFileSync(file, JSON.stringify(archive), { mode: 0o600 });
  const args = ["--no-warnings", "test/package/after-restart.ts", file];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT });
  expect(JSON.parse(stdout)).toEqual({ before: "key-missing", after: "claim 1" });
  rmSync(dirname(file), { recursive: true });
});
