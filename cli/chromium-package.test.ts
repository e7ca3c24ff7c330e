import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { unpack } from "./chromium-package.js";

it("unpacks nothing of a package that has another hash than the one that stands here", () => {
  const dir = mkdtempSync(join(tmpdir(), "coffer-chromium-package-"));
  const folder = join(dir, "unpacked");
  expect(() => unpack(gzipSync(Buffer.alloc(1024)), folder)).toThrow("has another hash than it should");
  expect(existsSync(folder)).toBe(false);
  rmSync(dir, { recursive: true });
});
