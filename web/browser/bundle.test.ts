import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, it } from "vitest";

/** The files of the kit, as a bundler that splits makes them. */
async function bundle() {
  const { metafile } = await build({
    absWorkingDir: fileURLToPath(new URL("../..", import.meta.url)),
    entryPoints: ["web/browser/index.ts"],
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    target: "es2023",
    outdir: "/kit",
    write: false,
    metafile: true,
  });
  return Object.entries(metafile.outputs).map(([path, output]) => ({ path, ...output }));
}

it("a page in which nobody is signed in loads the sign-in, and no documents, port or routes of them", async () => {
  const files = await bundle();
  const first = new Set(files.filter(({ entryPoint }) => entryPoint === "web/browser/index.ts"));
  // Sets go on to what is added while they are walked.
  for (const { imports } of first)
    for (const { path, kind } of imports)
      if (kind === "import-statement") first.add(files.find((file) => file.path === path)!);

  const modules = [...first].flatMap(({ inputs }) =>
    Object.keys(inputs).filter((path) => inputs[path]!.bytesInOutput > 0),
  );
  expect(modules).toContain("web/client/session.ts");
  const deferred =
    /^web\/client\/(documents|microservice|rest|keys)\.ts|^protocol\/(port|envelope|policy|keys)\//;
  expect(modules.filter((path) => deferred.test(path))).toEqual([]);
  expect(modules.filter((path) => path.startsWith("protocol/contract/"))).toEqual([
    "protocol/contract/issued.ts",
    "protocol/contract/token.ts",
  ]);
});
