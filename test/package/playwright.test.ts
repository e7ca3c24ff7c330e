/** docs/examples/playwright, as an app's developer has it: a project of its own with the packed package and Playwright's runner. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { executablePath, LOCALE } from "../chromium/launch.ts";
import { type Project, packPackage } from "./installed.ts";

const FILES = ["playwright.config.ts", "documents.spec.ts"];
let project: Project;

beforeAll(() => {
  project = packPackage().install("playwright", { also: ["miniflare", "playwright", "@types/node"] });
  // The package of this name is this line, and depends on playwright.
  const runner = join(project.folder, "node_modules/@playwright/test");
  mkdirSync(runner, { recursive: true });
  writeFileSync(
    join(runner, "package.json"),
    JSON.stringify({
      name: "@playwright/test",
      type: "module",
      exports: { types: "./index.d.ts", default: "./index.js" },
    }),
  );
  for (const file of ["index.js", "index.d.ts"])
    writeFileSync(
      join(runner, file),
      `export * from "playwright/test";\nexport { default } from "playwright/test";\n`,
    );
  for (const file of FILES)
    cpSync(join(project.kit, "docs/examples/playwright", file), join(project.folder, file));
});

it("the example suite type-checks with the packed package", () => {
  const resolution = {
    module: "nodenext",
    target: "es2024",
    lib: ["ES2024", "DOM", "DOM.Iterable", "ESNext.Disposable"],
  };
  const options = {
    ...resolution,
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
  };
  const source = FILES.map((file) => `import "./${file}";\n`).join("");
  expect(project.types(source, { ...options, types: ["node"] })).toBe("");
});

it("the example suite passes by `npx playwright test`: signed-in pages, and each thing that can be made to fail", async () => {
  const { NODE_OPTIONS: _options, ...env } = process.env;
  const child = spawn(process.execPath, [join(project.folder, "node_modules/playwright/cli.js"), "test"], {
    cwd: project.folder,
    env: { ...env, ...LOCALE, CI: "1", CHROMIUM_PATH: executablePath() },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece: Buffer) => (said += piece));
  const [code] = await once(child, "close");
  expect(said).toMatch(/\b10 passed/);
  expect(code, said).toBe(0);
}, 600_000);
