/** `npx playwright test`: each worker starts a deployment of its own, which takes some seconds. */

import { defineConfig } from "@playwright/test";

const executablePath = process.env.CHROMIUM_PATH;

export default defineConfig({
  testMatch: "*.spec.ts",
  timeout: 120_000,
  expect: { timeout: 30_000 },
  workers: 1,
  reporter: "line",
  use: {
    // A Chromium of the system in place of Playwright's, if one is named; in a container it can make no sandbox.
    launchOptions: executablePath ? { executablePath, args: ["--no-sandbox"] } : {},
  },
});
