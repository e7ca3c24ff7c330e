import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildWeb } from "./build.ts";
import type { BuiltWeb } from "./pin.ts";

const rootKey = new Uint8Array(91).fill(5);
let outDir: string;
let built: BuiltWeb;

beforeAll(async () => {
  outDir = await mkdtemp(join(tmpdir(), "coffer-build-"));
  built = await buildWeb({ rootKey, outDir });
});
afterAll(() => rm(outDir, { recursive: true }));

const named = (start: string) => built.files.find(({ path }) => path.startsWith(start))!;

it("is the same bytes each time, and other bytes for another root", async () => {
  const again = await buildWeb({ rootKey, outDir });
  expect(again).toEqual(built);
  const other = await buildWeb({ rootKey: new Uint8Array(91).fill(6), outDir: join(outDir, "other") });
  expect(other.measurement).not.toBe(built.measurement);
});

it("M21 writes a manifest of what is trusted, in which two builds agree and every byte shows", async () => {
  const text = await readFile(join(outDir, "manifest.json"), "utf8");
  const manifest = JSON.parse(text) as BuiltWeb["manifest"];
  expect(manifest).toEqual(built.manifest);
  const paths = manifest.map(({ path }) => path);
  expect(paths).toEqual(expect.arrayContaining(["node/microservice.js", "vault/index.html"]));
  expect(paths.some((path) => path.startsWith("app/"))).toBe(false);
  for (const { path, bytes, sha384 } of manifest) {
    const file = await readFile(join(outDir, path));
    expect(file.length).toBe(bytes);
    expect(createHash("sha384").update(file).digest("hex")).toBe(sha384);
  }
  await buildWeb({ rootKey, outDir: join(outDir, "again") });
  expect(await readFile(join(outDir, "again/manifest.json"), "utf8")).toBe(text);
});

it("pins what it serves: the document names the loader's hash, the loader that of the microservice", async () => {
  const [html, loader, microservice] = await Promise.all(
    ["vault/index.html", named("vault/loader.").path, named("vault/microservice.").path].map((path) =>
      readFile(join(outDir, path)),
    ),
  );
  const integrity = (bytes: Uint8Array) => `sha384-${createHash("sha384").update(bytes).digest("base64")}`;
  expect(html!.toString()).toContain(`integrity="${integrity(loader!)}"`);
  expect(built.measurement).toBe(integrity(microservice!));
  expect(loader!.toString()).toContain(built.measurement);
});

it("keeps the measured bundle small and self-contained", async () => {
  const { path, gzip } = named("vault/microservice.");
  // Of that some 1,200 keep an instance's keys under a passkey (M4): what makes and opens them has to be measured; 600 tell what is held and asked for; and 250 open by key records.
  expect(gzip).toBeLessThan(45_000);
  const code = await readFile(join(outDir, path), "utf8");
  expect(code).not.toMatch(/\bimport\s*\(|importScripts|\beval\(|new Function|sourceMappingURL/);
  expect(code).not.toContain(outDir);
});

it("M21 gives the page hashed names that its document uses, and scripts that it pins", async () => {
  const html = await readFile(join(outDir, "app/index.html"), "utf8");
  for (const file of await readdir(join(outDir, "app"))) {
    if (/\.[0-9a-f]{16}\.\w+$/.test(file)) expect(html).toContain(`"/${file}"`);
  }
  const scripts = [...html.matchAll(/<script[^>]*src="\/([^"]+)"([^>]*)>/g)];
  expect(scripts.length).toBeGreaterThan(0);
  for (const [, name = "", rest] of scripts) {
    const hash = createHash("sha384")
      .update(await readFile(join(outDir, "app", name)))
      .digest("base64");
    expect(rest, name).toContain(`integrity="sha384-${hash}"`);
  }
  expect(html).not.toMatch(/(?:src|href)="[^"/]*\.(?:ts|css|svg)"/);
});
