import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, it } from "vitest";

/** A page loads it before anybody is signed in, and it has no business with keys. */
it("what a custodian bundles of the port has no cryptography", async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("./index.ts", import.meta.url))],
    bundle: true,
    write: false,
    minify: true,
    format: "esm",
    platform: "browser",
  });
  const text = outputFiles.map((file) => file.text).join("");
  expect(text).toContain("port-violation");
  expect(text).not.toContain(".subtle");
});
