/** `npx coffer start` of an installed package, and an app of one's own, with the kit bundled, that works with it in Chromium. */

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { beforeAll, expect, it } from "vitest";
import { run, start } from "../cli/command.ts";
import { freePorts } from "../support/ports.ts";
import { openBrowser } from "../system/page.ts";
import { type Project, packPackage } from "./installed.ts";

let project: Project;
let withoutPeers: Project;

beforeAll(() => {
  const { install } = packPackage();
  project = install("project", { also: ["miniflare"] });
  withoutPeers = install("without-peers");
});

const command = ({ kit }: Project) => join(kit, "cli/coffer.js");
const options = async () => {
  const names = ["--port", "--vault-port", "--ttlv-port", "--https-port", "--identity-port", "--faults-port"];
  const ports = await freePorts(names.length);
  return names.flatMap((name, index) => [name, String(ports[index])]);
};

it("the command runs, and names what a command needs and is not installed", () => {
  const coffer = (...args: string[]) =>
    spawnSync(process.execPath, [command(withoutPeers), ...args], {
      encoding: "utf8",
      cwd: withoutPeers.folder,
    });
  for (const name of [
    "start",
    "init",
    "rotate",
    "recovery",
    "hsm",
    "seal",
    "open",
    "list",
    "export",
    "audit",
    undefined,
  ]) {
    const { status, stdout } = coffer(...(name === undefined ? [] : [name]), "--help");
    expect(stdout).toMatch(new RegExp(`(Example|Usage)s?: npx coffer ${name ?? "COMMAND"}`));
    // What is a clone's is said to be.
    expect(stdout.replace(/`npm run deploy`, in a clone/, "")).not.toMatch(/npm (start|run)|node cli/);
    for (const [path] of stdout.matchAll(/\S*docs\/\S+/g))
      expect(existsSync(join(withoutPeers.folder, path)), path).toBe(true);
    expect(status).toBe(0);
  }
  expect(coffer("list").stderr).toContain("Start it in another terminal with `npx coffer start`");
  expect(coffer("hsm", "--principals", "none").stderr).toContain("`npx coffer hsm principal NAME` makes one");
  const { status, stderr } = coffer("start");
  const { miniflare } = withoutPeers.manifest.peerDependencies;
  expect(stderr).toContain(`npm install --save-dev miniflare@${miniflare}\n`);
  expect(status).toBe(1);
});

it("starts everything from the package, and opens what it sealed", async () => {
  writeFileSync(join(project.folder, "photo.jpg"), new Uint8Array(300_000).fill(7));
  const args = ["start", "--once", "photo.jpg", ...(await options())];
  const { code, stdout, stderr } = await run(args, project.folder, undefined, command(project));
  expect(stderr).toBe("");
  expect(stdout).toContain("opened and compared, byte for byte");
  expect(code).toBe(0);
});

it("the kit, bundled into a page of an app, signs in, seals and opens in Chromium", async () => {
  const ports = await options();
  const server = start(["start", ...ports], project.folder, undefined, command(project));
  const browsing = await openBrowser();
  try {
    await server.says("Coffer is running");
    serve(await bundle(`http://localhost:${ports[3]}`));
    const app = `http://localhost:${ports[1]}`;
    const { page, complaints } = await browsing.open();
    await page.goto(`${app}/`);
    await page.getByRole("button", { name: "Enter" }).click();
    await page.getByLabel("Your name").fill("alice");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("button", { name: "Continue as alice" }).click();
    await page.getByText("signed in").waitFor();
    await page.getByRole("button", { name: "Seal and open" }).click();
    await page.getByText("opened greeting.txt: Hello, vault.").waitFor();
    expect(complaints).toEqual([]);
  } finally {
    await browsing.close();
    server.process.kill("SIGINT");
    await server.ended;
  }
});

/** An app of few lines, as a user of the package writes it. */
const APP = `
  import { connect } from "@coffer/kit";
  const say = (text) => (document.querySelector("output").textContent = text);
  const press = (name, work) => {
    const button = document.body.appendChild(document.createElement("button"));
    button.textContent = name;
    button.onclick = () => work().catch((error) => say(error.code + ": " + error.message));
  };
  const coffer = await connect({ vault: VAULT });
  if (coffer.identity) say("signed in");
  press("Enter", () => coffer.signIn());
  press("Seal and open", async () => {
    const { id } = await coffer.seal(new TextEncoder().encode("Hello, vault."), { name: "greeting.txt" });
    const { name, stream } = await coffer.open(id);
    say("opened " + name + ": " + (await new Response(stream).text()));
  });
`;

async function bundle(vault: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: APP, resolveDir: project.folder },
    bundle: true,
    write: false,
    format: "esm",
    define: { VAULT: JSON.stringify(vault) },
  });
  return outputFiles[0]!.text;
}

/** Puts the app in the place of the shipped page, under the headers of its origin. */
function serve(script: string): void {
  const folder = join(project.folder, ".coffer/web/app");
  const [main] = readdirSync(folder).filter((name) => /^main\.\w+\.js$/.test(name));
  writeFileSync(join(folder, main!), script);
  // The headers let no script run that its document does not pin.
  const pin = `sha384-${createHash("sha384").update(script).digest("base64")}`;
  writeFileSync(
    join(folder, "index.html"),
    `<!doctype html><link rel="icon" href="/favicon.svg"><output></output><script type="module" src="/${main}" integrity="${pin}"></script>`,
  );
}
