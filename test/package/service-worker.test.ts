/** The Service Worker of an app from the package as it is published: the example of its documents, in Chromium. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { beforeAll, expect, it } from "vitest";
import { send } from "../support/http.ts";
import { openEnrolled, useSystemAndBrowser } from "../system/index.ts";
import { type Project, packPackage } from "./installed.ts";

const running = useSystemAndBrowser();
let project: Project;
beforeAll(() => {
  project = packPackage().install("project");
}, 240_000);

it("M15 the package's example has an app's scripts use the microservice by REST, by the Service Worker that it ships", async () => {
  const { outputFiles } = await build({
    stdin: {
      contents: `import * as app from "@coffer/kit-example"; globalThis.example = app;`,
      resolveDir: project.folder,
    },
    alias: { "@coffer/kit-example": join(project.kit, "docs/examples/service-worker/app.js") },
    ...{ bundle: true, write: false, format: "iife", target: "es2024" },
  });
  const shipped = readFileSync(join(project.kit, "dist/package/web/app/service-worker.js"));
  const served = await send(`${running.system.appOrigin}/service-worker.js`);
  expect(served.status).toBe(200);
  // Before it the edge says what its own page's documents are served with.
  expect(served.text.slice(served.text.indexOf("\n") + 1)).toBe(shipped.toString());
  const page = await openEnrolled(running, "Ada");
  try {
    await page.evaluate(outputFiles[0]!.text);
    await page.evaluate(`example.start(${JSON.stringify(running.system.vaultOrigin)})`);
    const data = Buffer.from("by the example").toString("base64url");
    const digest = await page.evaluate(`example.digestOf("${data}").catch(String)`);
    expect(digest).toBe(createHash("sha256").update("by the example").digest("base64url"));
    expect(await page.evaluate(`example.digestOf("=").catch(String)`)).toMatch(/^Error: bad-/);
  } finally {
    await page.close();
  }
}, 120_000);
