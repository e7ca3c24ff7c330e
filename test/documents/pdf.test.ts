/** PDFs on the page, in Chromium with all real parts: drawn in a frame that has nothing, whatever is in them. */

import { createServer } from "node:http";
import type { Frame, Page } from "playwright";
import { expect, it } from "vitest";
import { listen } from "../support/ports.ts";
import { openEnrolled, useSystemAndBrowser } from "../system/index.ts";
import { pdfWith } from "./made-pdf.ts";
import { shootViews } from "./screenshots.ts";

const { system, browsing } = useSystemAndBrowser();

async function sealPdf(page: Page, name: string, buffer: Buffer): Promise<void> {
  await page.getByLabel("Files to seal").setInputFiles({ name, mimeType: "application/pdf", buffer });
  await page.getByRole("button", { name: `Save ${name}` }).waitFor();
}

/** Opens it from the list, and answers the frame in which it is drawn. */
async function openPdf(page: Page, name: string): Promise<Frame> {
  await page.getByRole("button", { name: `Open ${name}` }).click();
  const element = await page.getByRole("dialog").locator("iframe").elementHandle();
  const frame = await element?.contentFrame();
  if (!frame) throw new Error("no frame");
  return frame;
}

/** How dark a point of a page is, 0 to 255, at parts of its width and height from the upper left. */
function darkness(frame: Frame, x: number, y: number): Promise<number> {
  return frame
    .locator("canvas")
    .first()
    .evaluate(
      (canvas: HTMLCanvasElement, [x = 0, y = 0]) => {
        const point = [Math.floor(canvas.width * x), Math.floor(canvas.height * y)] as const;
        const [red = 0] = canvas.getContext("2d")?.getImageData(...point, 1, 1).data ?? [];
        return 255 - red;
      },
      [x, y],
    );
}

/** What code in the frame can reach: by name, what came of it. */
function reach(frame: Frame, address: string): Promise<Record<string, string>> {
  return frame.evaluate(async (address) => {
    const tried: Record<string, string> = { origin: origin };
    const attempt = async (name: string, work: () => unknown) => {
      tried[name] = await Promise.resolve()
        .then(work)
        .then(
          () => "done",
          (error: Error) => error.name,
        );
    };
    await attempt("storage", () => localStorage.length);
    await attempt("database", () => indexedDB.open("x"));
    await attempt("page", () => parent.document.body);
    await attempt("network", () => fetch(address));
    await attempt("own server", () => fetch("/"));
    await attempt("navigation of the page", () => {
      if (top) top.location.href = address;
    });
    tried.window = String(open(address));
    tried.image = await new Promise((resolve) => {
      const image = new Image();
      image.onload = () => resolve("done");
      image.onerror = () => resolve("refused");
      image.src = `${address}/image`;
    });
    return tried;
  }, address);
}

it("draws a PDF's pages beside its text, which is read out, on a phone and on a desk", async () => {
  const page = await openEnrolled({ system, browsing }, "Ada");
  await sealPdf(page, "plan.pdf", pdfWith([{ text: "The plan" }, { text: "Page two of it" }]));
  const frame = await openPdf(page, "plan.pdf");
  await frame.getByRole("region", { name: "Page 1 of 2" }).locator("canvas").waitFor();
  expect(await darkness(frame, 0.25, 0.75)).toBe(255);
  expect(await darkness(frame, 0.75, 0.75)).toBe(0);
  expect(await frame.getByText("The plan").count()).toBe(1);
  await frame.getByText("Page two of it").waitFor({ state: "attached" });
  await shootViews(page, "pdf", { varies: true });
  // From within the frame, where the focus is after a press on it.
  await frame.locator("body").press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await expect.poll(() => page.frames().some((each) => each.url().endsWith("/pdf.html"))).toBe(false);
  await page.context().close();
});

it("runs nothing of a hostile PDF, follows none of its links, and draws what is too large as far as it goes", async () => {
  const visits: string[] = [];
  const server = createServer((request, response) => {
    visits.push(request.url ?? "");
    response.end("here");
  });
  const address = `http://127.0.0.1:${await listen(server)}`;
  const page = await openEnrolled({ system, browsing }, "Mallory");
  const dialogs: string[] = [];
  page.on("dialog", (dialog) => {
    dialogs.push(dialog.message());
    void dialog.dismiss();
  });
  const popups: string[] = [];
  page.context().on("page", (opened) => popups.push(opened.url()));
  const link = (action: string) => `<< /Type /Annot /Subtype /Link /Rect [0 0 400 300] /A ${action} >>`;
  const hostile = pdfWith(
    [
      { text: "Press here", annotations: link(`<< /S /URI /URI (${address}/link) >>`) },
      { text: "Wide", size: [1_000_000, 3] },
      { text: "Huge", size: [1_000_000_000, 1_000_000_000] },
      ...Array.from({ length: 700 }, () => ({ text: "more" })),
    ],
    `/OpenAction << /S /JavaScript /JS (app.alert\\("run"\\); this.submitForm\\("${address}/form"\\); app.launchURL\\("${address}/launch"\\)) >>
     /AA << /WC << /S /JavaScript /JS (app.alert\\("closing"\\)) >> >>`,
  );
  await sealPdf(page, "hostile.pdf", hostile);
  const frame = await openPdf(page, "hostile.pdf");
  await frame.locator("canvas").first().waitFor();
  await frame.locator("canvas").first().click();
  await expect.poll(() => frame.locator("canvas").count()).toBeGreaterThan(2);
  const sizes = await frame
    .locator("canvas")
    .evaluateAll((all) =>
      all.map((one) => (one as HTMLCanvasElement).width * (one as HTMLCanvasElement).height),
    );
  for (const size of sizes) expect(size).toBeLessThanOrEqual(4 << 20);
  expect(await frame.locator("section").count()).toBe(500);
  expect(await frame.getByText("Pages 1 to 500 of 703 are drawn here.").count()).toBe(1);
  const address2 = page.url();
  const tried = await reach(frame, address);
  expect(tried).toEqual({
    origin: "null",
    storage: "SecurityError",
    database: expect.stringMatching(/Error$/),
    page: "SecurityError",
    network: "TypeError",
    "own server": "TypeError",
    "navigation of the page": "SecurityError",
    window: "null",
    image: "refused",
  });
  // Nor can the frame be led elsewhere, with what is in it.
  await frame.evaluate((to) => location.assign(to), `${address}/away`).catch(() => {});
  await page.getByRole("button", { name: "Close" }).click();
  await page.getByRole("button", { name: "Open hostile.pdf" }).waitFor();
  expect([visits, dialogs, popups]).toEqual([[], [], []]);
  expect(page.url()).toBe(address2);
  await page.context().close();
  server.close();
});

it("offers what it cannot draw to the browser's own viewer, and says why", async () => {
  const page = await openEnrolled({ system, browsing }, "Bob");
  await sealPdf(page, "broken.pdf", Buffer.from("%PDF-1.7\nnothing of a PDF follows"));
  await page.getByRole("button", { name: "Open broken.pdf" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("This PDF cannot be drawn here.").waitFor();
  expect(await dialog.getByRole("link", { name: "Open the PDF in a new tab" }).getAttribute("href")).toMatch(
    /^blob:/,
  );
  expect(await dialog.locator("iframe").count()).toBe(0);
  await page.context().close();
});

it("says of a page that cannot be drawn that it is not blank", async () => {
  const page = await openEnrolled({ system, browsing }, "Cleo");
  await sealPdf(page, "torn.pdf", pdfWith([{ text: "The first" }], "", 1));
  const frame = await openPdf(page, "torn.pdf");
  const second = frame.getByRole("region", { name: "Page 2 of 2" });
  await expect
    .poll(() => second.allTextContents(), { timeout: 30_000 })
    .toEqual(["This page cannot be drawn here. Save the PDF to read it."]);
  expect(await frame.getByText("are drawn here").count()).toBe(0);
  await page.context().close();
});

it("is framed by the app alone, and shows nothing by itself", async () => {
  const { page, context } = await browsing.open();
  const answer = await page.goto(`${system.appOrigin}/pdf.html`);
  const policy = answer?.headers()["content-security-policy"] ?? "";
  expect(policy).toContain("sandbox allow-scripts");
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain(`frame-ancestors ${system.appOrigin}`);
  expect(policy).not.toMatch(/allow-same-origin|unsafe-eval|connect-src/);
  // An opaque origin, though it stands alone.
  expect(await page.evaluate(() => origin)).toBe("null");
  expect(await page.locator("section").count()).toBe(0);
  // Framed by another origin it is not shown at all.
  const body = `<!doctype html><iframe src="${system.appOrigin}/pdf.html"></iframe>`;
  await context.route("http://elsewhere.localhost/", (route) =>
    route.fulfill({ contentType: "text/html", body }),
  );
  await page.goto("http://elsewhere.localhost/");
  const framed = () => page.frames().find((frame) => frame !== page.mainFrame());
  await expect.poll(() => framed()?.url()).toMatch(/^chrome-error:/);
  await context.close();
});
