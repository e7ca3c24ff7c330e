import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { unpackTar } from "#cli/tar.js";
import { OwnServers } from "./own-server.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "coffer-package-"));
/** A project that installed the package and its dependencies, and one that has the package alone. */
const project = join(dir, "project");
const bare = join(dir, "bare");
const kit = join(project, "node_modules/@coffer/kit");

beforeAll(() => {
  const windows = process.platform === "win32";
  execFileSync("npm", ["pack", "--silent", "--offline", "--pack-destination", dir], {
    cwd: root,
    shell: windows,
  });
  const [tarball] = readdirSync(dir).filter((name) => name.endsWith(".tgz"));
  for (const folder of [project, bare]) {
    const target = join(folder, "node_modules/@coffer/kit");
    unpackTar(gunzipSync(readFileSync(join(dir, tarball!))), target, { strip: "package/" });
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  }
  const { dependencies } = JSON.parse(readFileSync(join(kit, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  for (const name of [...Object.keys(dependencies), "@types/node"]) {
    const link = join(project, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, "node_modules", name), link, "dir");
  }
}, 60_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** What plain Node prints, without loader or flag: its complaint where it fails. */
function node(folder: string, source: string): string {
  writeFileSync(join(folder, "script.mjs"), source);
  const { NODE_OPTIONS: _options, ...others } = process.env;
  const { stdout, stderr } = spawnSync(process.execPath, ["script.mjs"], {
    cwd: folder,
    encoding: "utf8",
    env: others,
  });
  return `${stdout}${stderr}`.trim();
}

it("holds what was built and no source", () => {
  const files = readdirSync(kit, { recursive: true, encoding: "utf8" });
  expect(files.filter((name) => /\.ts$/.test(name) && !/\.d\.ts$/.test(name))).toEqual([]);
  expect(files.filter((name) => /\.test\.|fixture/.test(name))).toEqual([]);
  expect(files).toEqual(expect.arrayContaining(["README.md", "LICENSE", "dist/package/kmip.js"]));
});

it("./kmip runs with nothing else installed", () => {
  const printed = node(
    bare,
    `import { decodeRequest, encodeRequest, KmipError } from "@coffer/kit/kmip";
     const header = { protocolVersion: { major: 2, minor: 1 } };
     const bytes = encodeRequest({ header, items: [{ operation: "Query", payload: { queryFunction: ["QueryOperations"] } }] });
     console.log(decodeRequest(bytes).items[0].operation, new KmipError("ItemNotFound").code);`,
  );
  expect(printed).toBe("Query ItemNotFound");
});

it("./kmip can be bundled for browsers, of itself alone", async () => {
  const { metafile, errors } = await build({
    stdin: { contents: `export * from "@coffer/kit/kmip";`, resolveDir: bare },
    bundle: true,
    write: false,
    metafile: true,
    platform: "browser",
    format: "esm",
    logLevel: "silent",
  });
  expect(errors).toEqual([]);
  const foreign = Object.keys(metafile.inputs).filter((path) => !/@coffer\/kit\/dist|<stdin>/.test(path));
  expect(foreign).toEqual([]);
});

describe("with an HSM", () => {
  const own = new OwnServers();
  afterAll(() => own.close());

  it("./kmip/node connects from plain JavaScript, creates and gets", async () => {
    const server = await own.start("tls");
    writeFileSync(join(project, "endpoint.json"), JSON.stringify(server.endpoint));
    // Asynchronous: the server is in this process.
    const { promise, resolve } = Promise.withResolvers<string>();
    const source = `
      import { readFileSync } from "node:fs";
      import { KmipError } from "@coffer/kit/kmip";
      import { connectKmip } from "@coffer/kit/kmip/node";
      const { host, port, ...tls } = JSON.parse(readFileSync("endpoint.json", "utf8"));
      const client = await connectKmip({ servers: [{ host, port }], ...tls });
      const { uniqueIdentifier } = await client.request("Create", {
        objectType: "SymmetricKey",
        attributes: { cryptographicAlgorithm: "AES", cryptographicLength: 256, cryptographicUsageMask: ["Encrypt"] },
      });
      const { object } = await client.request("Get", { uniqueIdentifier });
      const refused = await client.request("Get", { uniqueIdentifier: "none" }).catch((error) => error);
      console.log(object.symmetricKey.keyBlock.keyValue.keyMaterial.length, refused instanceof KmipError, refused.code);
      client.close();`;
    writeFileSync(join(project, "connect.mjs"), source);
    const child = spawn(process.execPath, ["connect.mjs"], { cwd: project, env: { PATH: process.env.PATH } });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += String(data)));
    child.on("close", () => resolve(output.trim()));
    expect(await promise).toBe("32 true ObjectNotFound");
    await server.close();
  });

  it("./hsm starts one, in a project of its own", () => {
    const printed = node(
      project,
      `import { ensurePki, issueClient, startHsm } from "@coffer/kit/hsm";
       import { connectKmip } from "@coffer/kit/kmip/node";
       import { makePlatform } from "@coffer/kit/enclave";
       const pki = await ensurePki("pki");
       const hsm = await startHsm({ dir: "hsm", pki, ttlvPort: 0, httpsPort: 0 });
       const server = { host: "127.0.0.1", port: hsm.ttlvPort };
       const client = await connectKmip({ servers: [server], ca: pki.serverCa, ...(await issueClient("pki", "alice")) });
       console.log(client.version.major, client.version.minor, typeof makePlatform);
       client.close();
       await hsm.close();`,
    );
    expect(printed).toBe("2 1 function");
  });
});

describe("types", () => {
  const consumer = `
    import { createKmipClient, type Exchange, KmipError } from "@coffer/kit/kmip";
    import type { startHsm } from "@coffer/kit/hsm";
    import { type ConnectedKmipClient, connectKmip } from "@coffer/kit/kmip/node";

    export async function use(exchange: Exchange): Promise<Uint8Array | undefined> {
      const client = createKmipClient({ exchange });
      const { uniqueIdentifier } = await client.request("Create", {
        objectType: "SymmetricKey",
        attributes: { cryptographicAlgorithm: "AES", cryptographicLength: 256, cryptographicUsageMask: ["Encrypt"] },
      });
      const text: string = uniqueIdentifier;
      // @ts-expect-error there is no such operation
      await client.request("Creat", { uniqueIdentifier: text });
      // @ts-expect-error the length is a number
      await client.request("Create", { objectType: "SymmetricKey", attributes: { cryptographicLength: "256" } });
      const { data } = await client.request("Encrypt", { uniqueIdentifier, data: new Uint8Array() });
      if (!data) throw new KmipError("MissingData");
      return data;
    }

    export const connected: Promise<ConnectedKmipClient> = connectKmip({
      servers: [{ host: "hsm.example.org", port: 5696 }],
      ca: "",
      cert: "",
      key: "",
    });
    export const started: Parameters<typeof startHsm>[0]["dir"] = "";
  `;

  it.each([
    { module: "nodenext", moduleResolution: "nodenext" },
    { module: "esnext", moduleResolution: "bundler" },
  ])("resolve by $moduleResolution", (resolution) => {
    writeFileSync(join(project, "consumer.ts"), consumer);
    const compilerOptions = {
      ...resolution,
      target: "es2024",
      lib: ["es2024"],
      types: ["node"],
      strict: true,
      noEmit: true,
      skipLibCheck: false,
    };
    writeFileSync(
      join(project, "tsconfig.json"),
      JSON.stringify({ compilerOptions, files: ["consumer.ts"] }),
    );
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const { stdout, status } = spawnSync(process.execPath, [tsc, "-p", project], {
      encoding: "utf8",
    });
    expect(stdout).toBe("");
    expect(status).toBe(0);
  });
});

it("the command runs, and says what it does only in a clone", () => {
  const coffer = (...args: string[]) =>
    spawnSync(process.execPath, [join(kit, "cli/coffer.js"), ...args], { encoding: "utf8", cwd: project });
  for (const args of [["--help"], ["hsm", "--help"], ["seal", "--help"]]) {
    const { status, stdout } = coffer(...args);
    expect(stdout).toContain("coffer");
    expect(status).toBe(0);
  }
  const { status, stderr } = coffer("start");
  expect(stderr).toContain("clone");
  expect(status).toBe(1);
});
