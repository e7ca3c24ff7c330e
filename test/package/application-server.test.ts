/** docs/examples/application-server, as an app's developer has it: copied beside the installed package, and nothing else of this repository. */

import { spawn } from "node:child_process";
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { makeRegisteredKey } from "#cli/registered-key.ts";
import { rootKeyPem } from "#cli/root-key.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json } from "../support/http.ts";
import { freePorts } from "../support/ports.ts";
import { useSystem } from "../system/index.ts";
import { type Project, packPackage } from "./installed.ts";

/** Lines of its own that an application server may take, with all comments (issue "The key hierarchy", item 4). */
const LINES = 120;
const system = useSystem({ level: "master", admins: ["Ada"] });
let project: Project;
let sources: string[];

beforeAll(() => {
  project = packPackage().install("application-server", { also: ["hono", "@types/node"] });
  // Copied out of the package: Node runs no TypeScript below node_modules.
  const example = join(project.kit, "docs/examples/application-server");
  sources = readdirSync(example).filter((name) => name.endsWith(".ts"));
  for (const name of sources) cpSync(join(example, name), join(project.folder, name));
});

it("A5 the application server has less than 120 lines, imports the package and Hono alone, and type-checks with them", () => {
  const text = sources.map((name) => readFileSync(join(project.folder, name), "utf8")).join("");
  expect(text.split("\n").length).toBeLessThan(LINES);
  const imported = [...text.matchAll(/ from "([^"]+)"/g)].map(([, specifier]) => specifier!);
  const foreign = imported.filter((specifier) => !/^(node:|\.\/)/.test(specifier));
  expect([...new Set(foreign)].toSorted()).toEqual(["@coffer/kit/node", "hono"]);
  const options = {
    module: "nodenext",
    target: "es2024",
    lib: ["ES2024", "DOM", "DOM.AsyncIterable", "ESNext.Disposable"],
  };
  const checked = {
    ...options,
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    types: ["node"],
  };
  expect(project.types(`import "./main.ts";\n`, { ...checked, skipLibCheck: true })).toBe("");
});

it("A5 the application server runs from the packed package by its environment, as its README says", async () => {
  const [port] = await freePorts(1);
  const at = (name: string) => join(project.folder, name);
  writeFileSync(at("coffer-root.pem"), rootKeyPem(system.running.rootKey));
  const jwk = await makeRegisteredKey(at("client.pem"));
  const admin = await EdgeClient.signedIn(system, "Ada");
  const { id } = json<{ id: string }>(await admin.rest("PUT", "/admin/clients/server", { jwk }));
  const own = {
    ...{ APP: system.appOrigin, VAULT: system.vaultOrigin, ROOT_KEY: "coffer-root.pem", DATA: "documents" },
    ...{ CLIENT_ID: id, CLIENT_KEY: "client.pem", CLIENT_TOKEN: "device", PORT: String(port) },
    KEY_PASSPHRASE: "a secret of the server, at random",
  };
  const { NODE_OPTIONS: _options, ...env } = process.env;
  const child = spawn(process.execPath, ["main.ts"], {
    ...{ cwd: project.folder, env: { ...env, ...own } },
    stdio: ["ignore", "ignore", "inherit"],
  });
  try {
    const document = crypto.randomUUID();
    const url = `http://127.0.0.1:${port}/documents/${document}`;
    const device = { authorization: "Bearer device" };
    const status = () =>
      fetch(url).then(
        (answer) => answer.status,
        () => 0,
      );
    await expect.poll(status, { timeout: 60_000 }).toBe(401);
    expect((await fetch(url, { method: "PUT", headers: device, body: "by HTTP" })).status).toBe(201);
    expect(await (await fetch(url, { headers: device })).text()).toBe("by HTTP");
    // Beside the key that it came from.
    const stores = readdirSync(at("documents"));
    expect(stores).toContain("app-specific-key.pem");
    const account = stores.find((name) => !name.endsWith(".pem"));
    const stored = readFileSync(join(at("documents"), account!, document));
    expect(stored.length).toBeGreaterThan(100);
    expect(stored.includes("by HTTP")).toBe(false);
  } finally {
    child.kill();
  }
});
