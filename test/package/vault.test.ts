/** docs/examples/vault: the tag of the packed package in a page that no build has touched, under the policy that docs/apps.md gives, in Chromium. */

import { readFileSync } from "node:fs";
import { createServer, request as forward, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import type { Page } from "playwright";
import { afterEach, beforeAll, expect, it } from "vitest";
import { useSystemAndBrowser } from "../system/index.ts";
import { typeName } from "../system/page.ts";
import { type Project, packPackage } from "./installed.ts";

/** Lines that the example may have. */
const LINES = 60;
const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
const running = useSystemAndBrowser();
const EXAMPLE = "docs/examples/vault";
/** What the app's server has, by its path there and in the package. */
const FILES: Record<string, string> = {
  "/": `${EXAMPLE}/index.html`,
  "/app.js": `${EXAMPLE}/app.js`,
  "/app.css": `${EXAMPLE}/app.css`,
  "/coffer-vault.js": "dist/package/coffer-vault.js",
};
let project: Project;
let server: Server | undefined;
afterEach(() => {
  server?.close();
  server?.closeAllConnections();
});
beforeAll(() => {
  project = packPackage().install("vault");
}, 240_000);

const example = (name: string) => readFileSync(join(project.kit, EXAMPLE, name), "utf8");

/** The app's own server, in front of the edge: its files and its form, and what is neither goes on as it came. A browser reaches it as its proxy. */
async function serveApp(): Promise<{ page: Page; complaints: string[]; sent: string[] }> {
  const { appOrigin, vaultOrigin } = running.system;
  const documented = readFileSync(join(project.kit, "docs/apps.md"), "utf8");
  const [, policy] = /```\n(default-src [^\n]+)\n```/.exec(documented)!;
  const sent: string[] = [];
  server = createServer((request, response) => {
    const url = new URL(request.url!);
    const own = url.origin === appOrigin ? FILES[url.pathname] : undefined;
    if (url.origin === appOrigin && url.pathname === "/claims") {
      const pieces: Buffer[] = [];
      request.on("data", (piece: Buffer) => pieces.push(piece));
      request.on("end", () => {
        sent.push(Buffer.concat(pieces).toString());
        response.writeHead(204).end();
      });
    } else if (own !== undefined) {
      response.setHeader("content-security-policy", policy!.replaceAll("VAULT", vaultOrigin));
      response.setHeader("content-type", `${TYPES[extname(own)]}; charset=utf-8`);
      response.end(readFileSync(join(project.kit, own)));
    } else {
      const { method, headers } = request;
      const onward = forward(url, { method, headers }, (answer) => {
        response.writeHead(answer.statusCode!, answer.rawHeaders);
        answer.pipe(response);
      });
      onward.on("error", () => response.destroy());
      request.pipe(onward);
    }
  });
  await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const context = await running.browsing.browser.newContext({
    proxy: { server: `http://127.0.0.1:${port}` },
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  return { page, complaints, sent };
}

async function enter(page: Page, name: string): Promise<void> {
  await page.goto(`${running.system.appOrigin}/`);
  await page.getByText("Sign in first.").waitFor();
  await page.getByRole("button", { name: "Sign in" }).click();
  await typeName(page, name);
  await page.getByRole("button", { name: `Continue as ${name}` }).click();
  await page.getByText(`Welcome, ${name}.`).waitFor();
}

const file = (name: string, text: string) => ({ name, mimeType: "text/plain", buffer: Buffer.from(text) });

it("the example has less than 60 lines", () => {
  const lines = ["index.html", "app.js", "app.css"].flatMap((name) => example(name).trimEnd().split("\n"));
  expect(lines.length).toBeLessThan(LINES);
});

it("the tag seals, opens and deletes, and a form is sent with ids in the place of its files", async () => {
  const { page, complaints, sent } = await serveApp();
  await enter(page, "Vera");
  await page.getByLabel("Files to seal").setInputFiles(file("letter.txt", "for nobody else"));
  await page.getByText("Sealed letter.txt.").waitFor();
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Open letter.txt" }).click();
  const saved = await download;
  expect(saved.suggestedFilename()).toBe("letter.txt");
  expect(readFileSync(await saved.path(), "utf8")).toBe("for nobody else");

  await page.getByLabel("What happened").fill("Rain");
  await page.getByLabel("Proof").setInputFiles([file("roof.txt", "a hole"), file("wall.txt", "wet")]);
  await page.getByRole("button", { name: "Send the claim" }).click();
  await page.getByText("Sent, with 2 sealed.").waitFor();
  const [form] = sent;
  expect(form).toContain("Rain");
  expect(form!.match(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g)).toHaveLength(2);
  expect(form).not.toContain("a hole");
  expect(form).not.toContain("roof.txt");

  const documents = page.getByRole("list", { name: "Documents" }).getByRole("listitem");
  await expect.poll(() => documents.count()).toBe(3);
  await page.getByRole("button", { name: "Delete letter.txt" }).click();
  await expect.poll(() => documents.count()).toBe(2);
  // Nobody was asked: it can be brought back.
  const deleted = await page.evaluate(async () => {
    const { coffer } = document.querySelector("coffer-vault")!;
    const all = (await coffer?.list({ deleted: true })) ?? [];
    return all.map(({ metadata, ends }) => ({
      name: metadata?.name,
      days: (Number(ends) - Date.now()) / 86_400_000,
    }));
  });
  expect(deleted).toEqual([{ name: "letter.txt", days: expect.closeTo(30, 0) }]);
  await page.reload();
  await page.getByRole("button", { name: "Open roof.txt" }).waitFor();
  expect(await documents.count()).toBe(2);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await expect.poll(() => documents.count()).toBe(0);
  expect(complaints).toEqual([]);
});

it("a readonly tag takes and deletes nothing, what is cancelled is not saved, and its parts are an app's to style", async () => {
  const { page, complaints } = await serveApp();
  await enter(page, "Rosa");
  await page.getByLabel("Files to seal").setInputFiles(file("plan.txt", "north"));
  await page.getByRole("button", { name: "Delete plan.txt" }).waitFor();
  let downloads = 0;
  page.on("download", () => downloads++);
  const asked = await page.evaluate(async () => {
    const vault = document.querySelector("coffer-vault")!;
    const event = new Promise<string>((resolve) =>
      vault.addEventListener("coffer-opening", (open) => {
        open.preventDefault();
        resolve(open.detail.document.metadata!.name);
      }),
    );
    vault.setAttribute("readonly", "");
    const parts = vault.shadowRoot!;
    await vault.seal([new File(["south"], "other.txt")]);
    parts.querySelector<HTMLElement>('[part="open"]')!.click();
    const border = getComputedStyle(parts.querySelector('[part="document"]')!).borderBottomStyle;
    return { name: await event, border, rows: parts.querySelectorAll("li").length };
  });
  expect(asked).toEqual({ name: "plan.txt", border: "solid", rows: 1 });
  expect(await page.getByRole("button", { name: "Delete plan.txt" }).count()).toBe(0);
  expect(await page.getByRole("button", { name: "Choose files…" }).count()).toBe(0);
  expect(downloads).toBe(0);
  expect(complaints).toEqual([]);
});

it("a server may import it: it has no DOM, and nothing is defined", () => {
  const printed = project.node(
    `const { defineCofferVault, sealFormData } = await import("@coffer/kit/vault");
     const tag = await import("@coffer/kit/coffer-vault.js");
     console.log(defineCofferVault(), typeof sealFormData, typeof tag.defineCofferVault, "document" in globalThis);`,
  );
  expect(printed).toBe("undefined function function false");
});
