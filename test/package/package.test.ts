/** What an app's developer gets: the package installed, imported by Node and by tsc, and what the manifest says of it. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { beforeAll, describe, expect, it } from "vitest";
import { compileWeb } from "#web/build.ts";
import { type Project, packPackage } from "./installed.ts";

let tarball: Buffer;
let project: Project;

beforeAll(() => {
  const packed = packPackage();
  tarball = packed.tarball;
  project = packed.install("project", { also: ["@types/node"] });
});

it("declares what runs there: no Node, no tools, and what only the command needs as optional peers", () => {
  const { manifest } = project;
  expect(Object.keys(manifest.dependencies).toSorted()).toEqual([
    "@peculiar/x509",
    "idb",
    "reflect-metadata",
  ]);
  const { miniflare, ...others } = manifest.peerDependencies;
  expect(miniflare).toMatch(/^\d/);
  // No version of theirs keeps the package from being installed: what loads them is what an app's tests import.
  expect(others).toEqual({ msw: "*", playwright: "*", wrangler: "*" });
  const peers = Object.keys(manifest.peerDependencies);
  expect(manifest.peerDependenciesMeta).toEqual(
    Object.fromEntries(peers.map((name) => [name, { optional: true }])),
  );
  for (const field of ["devDependencies", "optionalDependencies", "scripts", "imports"])
    expect(manifest[field], field).toBeUndefined();
});

it("has what its documents lead to", () => {
  const files = readdirSync(project.kit, { recursive: true, encoding: "utf8" });
  const documents = files.filter((name) => name.endsWith(".md"));
  expect(documents).toEqual(expect.arrayContaining(["README.md", "CHANGELOG.md", "docs/kmip-hsm.md"]));
  const dead = documents.flatMap((name) => {
    const text = readFileSync(join(project.kit, name), "utf8");
    return [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)]
      .filter(([, path]) => !existsSync(join(project.kit, dirname(name), path!)))
      .map(([link]) => `${name}: ${link}`);
  });
  expect(dead).toEqual([]);
});

it("names whose code it has in it, with the licences", async () => {
  const has = (path: string) => readFileSync(join(project.kit, path), "utf8");
  // The worker names its sources in comments; page and vault are minified.
  const bundled = [...has("dist/package/edge/worker.js").matchAll(/^\/\/ (\S+)$/gm)].map(([, path]) => path!);
  await compileWeb(({ outputs }) => {
    for (const { inputs } of Object.values(outputs))
      bundled.push(...Object.keys(inputs).filter((path) => inputs[path]!.bytesInOutput > 0));
  });
  const names = bundled.flatMap((path) => {
    const [, below] = /.*(?<![\w-])node_modules\/(.+)/.exec(path) ?? [];
    return below === undefined ? [] : [below.split("/", below.startsWith("@") ? 2 : 1).join("/")];
  });
  expect(names).toEqual(expect.arrayContaining(["hono", "jose", "idb"]));
  const notices = has("THIRD-PARTY-NOTICES").split(/^-{80}\n/m);
  for (const name of new Set(names)) {
    const notice = notices.find((one) => one.startsWith(`${name} `)) ?? "";
    expect(notice, name).toMatch(/copyright/i);
    expect(notice, name).toMatch(/permission|redistribution|licensed under/i);
  }
  expect(has("LICENSE")).toContain("Apache License");
});

it("is clean by publint", async () => {
  const { messages } = await publint({
    pack: { tarball: new Uint8Array(tarball).buffer },
    strict: true,
    level: "suggestion",
  });
  expect(messages).toEqual([]);
});

it("has types that are not wrong, for those who import modules", async () => {
  const result = await checkPackage(createPackageFromTarballData(new Uint8Array(tarball)));
  if (!result.types) throw new Error("it has no types");
  expect(Object.keys(result.entrypoints)).toEqual(expect.arrayContaining([".", "./envelope", "./kmip/node"]));
  // There is no CommonJS, and resolution by Node 10 knows no `exports`.
  const foreign = (kind: string) => kind === "node10" || kind === "node16-cjs";
  const problems = result.problems.filter(
    (problem) => !("resolutionKind" in problem && foreign(problem.resolutionKind)),
  );
  expect(problems).toEqual([]);
});

it.each([
  [".", "connect, CofferError, messageOf", "function function function"],
  ["./service-worker", "serveByServiceWorker", "function"],
  ["./microservice", "createMicroservice, captureCrypto, openStore", "function function function"],
  [
    "./microservice/node",
    "startMicroservice, serveMicroservice, createPortClient",
    "function function function",
  ],
  ["./service", "createServiceClient, createServiceSet", "function function"],
  ["./node", "connect, openAppKey, readRegisteredKey", "function function function"],
  ["./vault", "defineCofferVault, sealFormData", "function function"],
  ["./playwright", "cofferFixtures", "object"],
  ["./envelope", "seal, open, parseHeader", "function function function"],
  ["./kmip", "createKmipClient, decodeRequest, KmipError", "function function function"],
  ["./kmip/node", "connectKmip, tlsTransport, createKmipClient", "function function undefined"],
  ["./hsm", "startHsm, ensurePki, issueClient", "function function function"],
  ["./enclave", "makePlatform, makeEvidence", "function function"],
])("%s is imported by plain Node", (entry, names, expected) => {
  const list = names.split(", ").map((name) => `typeof kit.${name}`);
  const printed = project.node(
    `import * as kit from "@coffer/kit${entry.slice(1)}"; console.log(${list.join(", ")});`,
  );
  expect(printed).toBe(expected);
});

describe("types", () => {
  const consumer = `
    import { type Coffer, CofferError, connect, type Document, type ErrorCode, messageOf } from "@coffer/kit";
    import { parseHeader } from "@coffer/kit/envelope";
    import { createMicroservice, type MicroserviceOptions } from "@coffer/kit/microservice";
    import type { makePlatform } from "@coffer/kit/enclave";

    export async function use(file: File): Promise<string> {
      const coffer: Coffer = await connect({ vault: "https://vault.example" });
      if (!coffer.identity) await coffer.signIn();
      const sealed: Document = await coffer.seal(file, { name: "report" });
      // @ts-expect-error an id is text
      await coffer.open(7);
      // @ts-expect-error there is no such option
      await connect({ vaults: "https://vault.example" });
      try {
        const { stream } = await coffer.open(sealed.id);
        return await new Response(stream).text();
      } catch (error) {
        if (error instanceof CofferError) {
          const code: ErrorCode = error.code;
          return code;
        }
        return messageOf(error);
      }
    }
    export const make = (options: MicroserviceOptions) => createMicroservice(options);
    export const read: typeof parseHeader = parseHeader;
    export type Platform = Awaited<ReturnType<typeof makePlatform>>;
  `;

  it.each([
    { module: "node16", moduleResolution: "node16" },
    { module: "esnext", moduleResolution: "bundler" },
  ])("resolve by $moduleResolution", (resolution) => {
    const options = { target: "es2024", lib: ["es2024", "dom", "dom.iterable"], types: ["node"] };
    const strict = { strict: true, exactOptionalPropertyTypes: true, noEmit: true, skipLibCheck: false };
    expect(project.types(consumer, { ...resolution, ...options, ...strict })).toBe("");
  });
});
