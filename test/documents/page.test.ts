/** People's files through the page in Chromium: in by the file input, out by a download, the same to the last byte. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Page } from "playwright";
import { beforeAll, expect, it } from "vitest";
import { signIn, useSystemAndBrowser } from "../system/index.ts";

type Content = { name: string; mimeType: string; buffer: Buffer };

const { system, browsing } = useSystemAndBrowser();
let page: Page;
let complaints: string[];
let files: Content[];

beforeAll(async () => {
  files = [
    { name: "Übersicht 2026.pdf", mimeType: "application/pdf", buffer: await makePdf() },
    { name: "holiday photo.jpg", mimeType: "image/jpeg", buffer: await makePhoto() },
    { name: "empty.txt", mimeType: "text/plain", buffer: Buffer.alloc(0) },
    { name: "one byte", mimeType: "", buffer: Buffer.of(0xff) },
  ];
  ({ page, complaints } = await browsing.open());
  // As in a browser without the File System Access API: nobody could answer its question here.
  await page.addInitScript(() => Reflect.deleteProperty(globalThis, "showSaveFilePicker"));
  await signIn(page, system, "Ada");
  await page.getByLabel("Files to seal").setInputFiles(files);
  for (const { name } of files) await button("Save", name).waitFor();
});

const button = (verb: "Open" | "Save" | "Delete", name: string) =>
  page.getByRole("button", { name: `${verb} ${name}`, exact: true });
const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Saves a document the page's way; its bytes as they came to the disk. */
async function save(name: string): Promise<{ bytes: Buffer; suggested: string }> {
  const [download] = await Promise.all([page.waitForEvent("download"), button("Save", name).click()]);
  return { bytes: readFileSync(await download.path()), suggested: download.suggestedFilename() };
}

it("a PDF, a photo, an empty file and a file of one byte come back byte for byte, under their names", async () => {
  for (const { name, buffer } of files) {
    const { bytes, suggested } = await save(name);
    expect({ name, size: bytes.length, digest: digest(bytes) }).toEqual({
      name,
      size: buffer.length,
      digest: digest(buffer),
    });
    expect(suggested).toBe(name);
  }
  expect(complaints).toEqual([]);
});

it("they come back after a reload, by names and keys that were fetched again", async () => {
  await page.reload();
  for (const { name, buffer } of files) {
    await button("Save", name).waitFor();
    expect(digest((await save(name)).bytes)).toBe(digest(buffer));
  }
  expect(complaints).toEqual([]);
});

it("the photo is drawn, and so is the PDF, the empty text says that it is empty", async () => {
  const dialog = page.getByRole("dialog");
  const close = () => dialog.getByRole("button", { name: "Close" }).click();
  await button("Open", "holiday photo.jpg").click();
  const drawn = dialog.getByRole("img", { name: "holiday photo.jpg" });
  await drawn.waitFor();
  await expect.poll(() => drawn.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(640);
  await close();
  await button("Open", "Übersicht 2026.pdf").click();
  await dialog.frameLocator("iframe").locator("canvas").first().waitFor();
  await close();
  await button("Open", "empty.txt").click();
  await dialog.getByText("This document is empty.").waitFor();
  await close();
  expect(complaints).toEqual([]);
});

it("a page and a drawing that would run a script are shown as the text that they are, and run nothing", async () => {
  const attacks = `<script>globalThis.ran = true; fetch("/ran")</script>
<img src="/ran" onerror="globalThis.ran = true"><iframe srcdoc="&lt;script&gt;top.ran = true&lt;/script&gt;"></iframe>
<a href="javascript:globalThis.ran = true" id="click">Press</a><style>@import "/ran";</style>`;
  const html = `<!doctype html><meta http-equiv="refresh" content="0;url=/ran"><body onload="globalThis.ran = true">${attacks}`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" onload="globalThis.ran = true" width="9" height="9">${attacks}
<foreignObject><body xmlns="http://www.w3.org/1999/xhtml">${attacks}</body></foreignObject><use href="/ran"/></svg>`;
  const hostile = [
    { name: "invoice.html", mimeType: "text/html", text: html },
    { name: "logo.svg", mimeType: "image/svg+xml", text: svg },
    { name: "form.xhtml", mimeType: "application/xhtml+xml", text: html },
    // By their names alone.
    { name: "unknown.html", mimeType: "application/octet-stream", text: html },
    { name: "unknown.svg", mimeType: "application/octet-stream", text: svg },
  ];
  // Its type is what its owner has said.
  const disguised = { name: "photo.png", mimeType: "image/png", buffer: Buffer.from(svg) };
  const { page: other, complaints: said, context } = await browsing.open();
  const asked: string[] = [];
  context.on("request", (request) => void asked.push(new URL(request.url()).pathname));
  await signIn(other, system, "Dee");
  const sealed = hostile.map(({ text, ...file }) => ({ ...file, buffer: Buffer.from(text) }));
  await other.getByLabel("Files to seal").setInputFiles([...sealed, disguised]);
  const dialog = other.getByRole("dialog");
  const address = other.url();
  const open = async (name: string) => {
    const press = other.getByRole("button", { name: `Open ${name}`, exact: true });
    await press.waitFor();
    await press.click();
  };
  const close = () => dialog.getByRole("button", { name: "Close" }).click();
  for (const { name, text } of hostile) {
    await open(name);
    await expect.poll(() => dialog.locator("pre").allTextContents()).toEqual([text]);
    expect(await dialog.locator("pre *, iframe, img, svg, object, embed").count(), name).toBe(0);
    await close();
  }
  await open(disguised.name);
  await expect
    .poll(() => dialog.textContent())
    .toContain("This image is damaged or of a kind that the browser cannot draw.");
  await close();
  expect(other.frames().map((frame) => frame.url())).toContain(address);
  expect(await Promise.all(other.frames().map((frame) => frame.evaluate("globalThis.ran")))).toEqual(
    other.frames().map(() => undefined),
  );
  expect(asked.filter((path) => path === "/ran")).toEqual([]);
  expect(said).toEqual([]);
  await context.close();
});

it("where the browser can ask for a place, the document is streamed into the chosen file", async () => {
  const { page: other, context } = await browsing.open();
  // The question is answered by a file of the origin's own; the rest is the File System Access API as it is.
  await other.addInitScript(() => {
    Object.assign(globalThis, {
      showSaveFilePicker: async ({ suggestedName }: { suggestedName: string }) =>
        (await navigator.storage.getDirectory()).getFileHandle(suggestedName, { create: true }),
    });
  });
  await signIn(other, system, "Bob");
  const photo = files[1]!;
  await other.getByLabel("Files to seal").setInputFiles(photo);
  await other.getByRole("button", { name: `Save ${photo.name}` }).click();
  await other.getByRole("status").getByText(`${photo.name} is saved.`).waitFor({ state: "attached" });
  const saved = await other.evaluate(async (name) => {
    const file = await (await (await navigator.storage.getDirectory()).getFileHandle(name)).getFile();
    const hash = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
    return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }, photo.name);
  expect(saved).toBe(digest(photo.buffer));
  await context.close();
});

it("says so where the browser itself refuses the chosen file, and saves it at another try", async () => {
  const { page: other, context } = await browsing.open();
  // A file that refuses its end the first time, as one that is blocked.
  await other.addInitScript(() => {
    let refuses = true;
    const close = async () => {
      if (refuses) {
        refuses = false;
        throw new DOMException("Blocked", "AbortError");
      }
    };
    Object.assign(globalThis, {
      showSaveFilePicker: async () => ({ createWritable: async () => new WritableStream({ close }) }),
    });
  });
  await signIn(other, system, "Cy");
  const [, , , file] = files as [Content, Content, Content, Content];
  await other.getByLabel("Files to seal").setInputFiles(file);
  await other.getByRole("button", { name: `Save ${file.name}` }).click();
  const row = other.getByRole("list", { name: "In progress" }).getByRole("listitem");
  const said = row.getByRole("alert").getByText("Something went wrong");
  await expect.poll(() => said.count(), { timeout: 60_000 }).toBe(1);
  await row.getByRole("button", { name: `Try again: ${file.name}` }).click();
  await other.getByRole("status").getByText(`${file.name} is saved.`).waitFor({ state: "attached" });
  expect(await row.count()).toBe(0);
  await context.close();
});

/** Printed by the browser itself. */
async function makePdf(): Promise<Buffer> {
  const { page: blank, context } = await browsing.open();
  await blank.setContent("<h1>Overview</h1><p>Rent, insurance, taxes.</p>");
  const pdf = await blank.pdf({ format: "A4" });
  await context.close();
  expect(pdf.subarray(0, 5).toString()).toBe("%PDF-");
  return pdf;
}

/** A JPEG of the browser's own encoder, with enough in it to be larger than a frame. */
async function makePhoto(): Promise<Buffer> {
  const { page: blank, context } = await browsing.open();
  const base64 = await blank.evaluate(() => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [640, 480];
    const paint = canvas.getContext("2d")!;
    const pixels = paint.createImageData(640, 480);
    let noise = 1;
    for (let i = 0; i < pixels.data.length; i++) {
      noise = (noise * 48271) % 2147483647;
      pixels.data[i] = i % 4 === 3 ? 255 : noise & 255;
    }
    paint.putImageData(pixels, 0, 0);
    return canvas.toDataURL("image/jpeg", 1).split(",")[1]!;
  });
  await context.close();
  const photo = Buffer.from(base64, "base64");
  expect(photo.subarray(0, 3)).toEqual(Buffer.of(0xff, 0xd8, 0xff));
  expect(photo.length).toBeGreaterThan(256 << 10);
  return photo;
}
