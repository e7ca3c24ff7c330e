/** The folder of one run of tests for what built-once.ts builds. A global setup of vitest. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    built: string;
  }
}

export default function setup({ provide }: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), "coffer-built-"));
  provide("built", folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
