/**
 * docs/examples/form, react and next: an app that Vite serves and builds from the packed package, that one and one of React; one of Next
 * that is compiled. Next itself is no dependency, for its size; that the example runs was seen with Next 16.4, in development and built, under its policy.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Page } from "playwright";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { contract, type Route } from "#protocol/contract/index.ts";
import { useSystemAndBrowser } from "../system/index.ts";
import { typeName } from "../system/page.ts";
import { type Project, packPackage } from "./installed.ts";

/** Lines that an example may have of its own. */
const LINES = 60;
const VITE = fileURLToPath(new URL("../../node_modules/vite/bin/vite.js", import.meta.url));
const APP = "vite";
const running = useSystemAndBrowser({ otherApps: [APP], passedOn: [APP] });

let project: Project;
beforeAll(() => {
  project = packPackage().install("examples", { also: ["vite", "react", "react-dom", "scheduler"] });
}, 240_000);

/** The example in a project that has the package, as `npm install` leaves it. */
function copied(name: string): string {
  const folder = join(project.folder, name);
  cpSync(join(project.kit, "docs/examples", name), folder, { recursive: true });
  return folder;
}

/** The policy that docs/apps.md gives. */
function documentedPolicy(): string {
  const documented = readFileSync(join(project.kit, "docs/apps.md"), "utf8");
  return /```\n(default-src [^\n]+)\n```/.exec(documented)?.[1] ?? "";
}

it.each(["form", "react"])("the example %s has less than 60 lines", (name) => {
  const folder = join(project.kit, "docs/examples", name);
  const lines = readdirSync(folder).flatMap((file) =>
    readFileSync(join(folder, file), "utf8").trimEnd().split("\n"),
  );
  expect(lines.length).toBeLessThan(LINES);
});

it.each(["form/vite.config.js", "next/server.js"])(
  "what %s passes on to the edge is what the contract has on an app's origin",
  (file) => {
    const text = readFileSync(join(project.kit, "docs/examples", file), "utf8");
    const [, words = ""] = /\^\\?\/\(([^)]+)\)/.exec(text) ?? [];
    const routes: Route[] = Object.values(contract);
    const first = routes.filter(({ site }) => site === "app").map(({ path }) => path.split("/")[1]!);
    expect(words.replaceAll("\\", "").split("|")).toEqual([...new Set(first)].toSorted());
  },
);

it("a server may import what browsers import: no entry touches a DOM when it is loaded", () => {
  const exports = project.manifest.exports as object;
  // What is for Node alone, or for tests, needs Node 24 or a peer.
  const others = /^\.\/(hsm|enclave|node|microservice\/node|kmip\/node|playwright|msw|package\.json)$/;
  const entries = Object.keys(exports).filter((entry) => !others.test(entry));
  expect(entries).toContain("./vault");
  const printed = project.node(
    `const before = Object.keys(globalThis).length;
     for (const entry of ${JSON.stringify(entries)}) await import("@coffer/kit" + entry.slice(1));
     console.log("document" in globalThis, "customElements" in globalThis, Object.keys(globalThis).length - before);`,
  );
  expect(printed).toBe("false false 0");
});

describe("React", () => {
  it("the component is compiled, and imports nothing that the package has not", async () => {
    const { metafile, warnings } = await build({
      absWorkingDir: project.folder,
      stdin: {
        contents: `import ${JSON.stringify(join(copied("react"), "main.jsx"))};`,
        resolveDir: project.folder,
      },
      bundle: true,
      write: false,
      metafile: true,
      format: "esm",
      jsx: "automatic",
      external: ["react", "react/jsx-runtime", "react-dom/client"],
      logLevel: "silent",
    });
    expect(warnings).toEqual([]);
    const external = Object.values(metafile.outputs).flatMap(({ imports }) =>
      imports.filter((one) => one.external).map(({ path }) => path),
    );
    expect(new Set(external)).toEqual(new Set(["react", "react/jsx-runtime", "react-dom/client"]));
  });
});

describe("Next", () => {
  const proxy = () => readFileSync(join(project.kit, "docs/examples/next/proxy.js"), "utf8");

  it("its policy is the one that docs/apps.md gives, with a nonce and the policies by which Next loads its scripts", () => {
    const [, served = ""] = /`(default-src [^`]+)`/.exec(proxy()) ?? [];
    const own = served
      .replace(/ 'nonce-[^']+'/, "")
      .replace("trusted-types nextjs nextjs#bundler", "trusted-types 'none'");
    expect(own.replaceAll(/\$\{VAULT\}/g, "VAULT")).toBe(documentedPolicy());
  });

  it("its parts are compiled, for the browser and for its server, and import nothing that the package has not", async () => {
    const folder = copied("next");
    const { metafile, warnings } = await build({
      absWorkingDir: folder,
      entryPoints: ["app/layout.jsx", "app/page.jsx", "proxy.js", "server.js"],
      bundle: true,
      write: false,
      outdir: "built",
      metafile: true,
      format: "esm",
      jsx: "automatic",
      external: ["react", "react/jsx-runtime", "next", "next/server", "node:*"],
      logLevel: "silent",
    });
    expect(warnings).toEqual([]);
    const external = Object.values(metafile.outputs).flatMap(({ imports }) =>
      imports.filter((one) => one.external).map(({ path }) => path),
    );
    const wanted = ["next", "next/server", "node:http", "react", "react/jsx-runtime"];
    expect([...new Set(external)].toSorted()).toEqual(wanted);
  });
});

describe("Vite", () => {
  const own = () => running.system.origin(APP);

  /** Runs Vite to its end, or until the test ends. Resolves when it has ended, or listens. */
  async function vite(folder: string, ...args: string[]): Promise<string> {
    const { appOrigin, vaultOrigin } = running.system;
    const port = args[0] === "build" ? [] : ["--port", new URL(own()).port];
    const { FORCE_COLOR: _, ...inherited } = process.env;
    // Vite colours "Local" by itself on a CI server, and then "Local:" is nowhere in what it says.
    const env = { ...inherited, NO_COLOR: "1", NODE_ENV: "", EDGE: appOrigin, VITE_VAULT: vaultOrigin };
    const child = spawn(process.execPath, [VITE, ...args, ...port], { cwd: folder, env });
    let text = "";
    const listens = new Promise<void>((resolve) => {
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding("utf8").on("data", (piece: string) => {
          text += piece;
          if (/Local:/.test(text)) resolve();
        });
    });
    const ended = once(child, "close").then(([code]) => {
      if (code !== 0 && code !== null) throw new Error(`vite ended with ${code}: ${text}`);
    });
    onTestFinished(async () => {
      child.kill();
      await ended.catch(() => {});
    });
    await Promise.race([listens, ended]);
    return text;
  }

  async function newPage(): Promise<{ page: Page; complaints: string[] }> {
    const context = await running.browsing.browser.newContext();
    onTestFinished(() => context.close());
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    return { page, complaints };
  }

  /** Signs in there, and sends the form with two files; answers what the app's server got. */
  async function use(page: Page, name: string): Promise<string> {
    const sent: string[] = [];
    await page.route("**/claims", async (route) => {
      sent.push(route.request().postDataBuffer()?.toString() ?? "");
      await route.fulfill({ status: 204 });
    });
    await page.goto(`${own()}/`);
    await page.getByRole("button", { name: "Sign in" }).click();
    await typeName(page, name);
    await page.getByRole("button", { name: `Continue as ${name}` }).click();
    await page.getByLabel("What happened").fill("Rain");
    const file = (name: string, text: string) => ({
      name,
      mimeType: "text/plain",
      buffer: Buffer.from(text),
    });
    await page.getByLabel("Proof").setInputFiles([file("roof.txt", "a hole in it"), file("wall.txt", "wet")]);
    await page.getByRole("button", { name: "Send the claim" }).click();
    await page.getByText("Sent, with 2 sealed.").waitFor();
    expect(sent[0]).not.toContain("a hole in it");
    expect(sent[0]).not.toContain("roof.txt");
    return sent[0]!;
  }
  const IDS = /\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g;

  it("its development server has the app, and passes on what is the edge's", async () => {
    await vite(copied("form"));
    const { page, complaints } = await newPage();
    expect((await use(page, "Dev")).match(IDS)).toHaveLength(2);
    expect(complaints).toEqual([]);
  });

  it.each(["in development", "built"])("the React component signs in, seals and lists %s", async (way) => {
    const folder = copied("react");
    cpSync(join(project.kit, "docs/examples/form/vite.config.js"), join(folder, "vite.config.js"));
    if (way === "built") {
      await vite(folder, "build");
      await vite(folder, "preview");
    } else await vite(folder);
    const { page, complaints } = await newPage();
    const sent: string[] = [];
    await page.route("**/claims", async (route) => {
      sent.push(route.request().postDataBuffer()?.toString() ?? "");
      await route.fulfill({ status: 204 });
    });
    await page.goto(`${own()}/`);
    await page.getByText("Sign in first.").waitFor();
    await page.getByRole("button", { name: "Sign in" }).click();
    const name = `Rea, ${way}`;
    await typeName(page, name);
    await page.getByRole("button", { name: `Continue as ${name}` }).click();
    await page.getByText(`Welcome, ${name}.`).waitFor();
    const buffer = Buffer.from("a hole in it");
    await page.getByLabel("Proof").setInputFiles([{ name: "roof.txt", mimeType: "text/plain", buffer }]);
    await page.getByRole("button", { name: "Send the claim" }).click();
    await page.getByText("Sent, with 1 sealed.").waitFor();
    await page.getByText("roof.txt").first().waitFor();
    expect(sent[0]!.match(IDS)).toHaveLength(1);
    expect(sent[0]).not.toContain("a hole in it");
    expect(complaints).toEqual([]);
  });

  it("its build runs under the policy that docs/apps.md gives, and nothing complains", async () => {
    const folder = copied("form");
    await vite(folder, "build");
    await vite(folder, "preview");
    const { page, complaints } = await newPage();
    const [first] = await Promise.all([page.waitForResponse(`${own()}/`), page.goto(`${own()}/`)]);
    const served = first.headers()["content-security-policy"] ?? "";
    // The example's icon is in its page.
    expect(served.replace("img-src 'self' data:", "img-src 'self'")).toBe(
      documentedPolicy().replaceAll("VAULT", running.system.vaultOrigin),
    );
    expect((await use(page, "Preview")).match(IDS)).toHaveLength(2);
    expect(complaints).toEqual([]);
  });
});
