import { spawn } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OwnServers } from "../kmip/own-server.ts";
import { type Project, packPackage } from "./installed.ts";

/** A project that installed the package and its dependencies, and one that has the package alone. */
let project: Project;
let bare: Project;

beforeAll(() => {
  const { install } = packPackage();
  project = install("project", { also: ["@types/node"] });
  bare = install("bare", { dependencies: false });
});

it("holds what was built and no source", () => {
  const files = readdirSync(project.kit, { recursive: true, encoding: "utf8" });
  // Examples are to be copied, and are as one writes them.
  const built = files.filter((name) => !name.startsWith(join("docs", "examples")));
  expect(built.filter((name) => /\.ts$/.test(name) && !/\.d\.ts$/.test(name))).toEqual([]);
  expect(files.filter((name) => /\.test\.|\.fixture\./.test(name))).toEqual([]);
  expect(files).toEqual(expect.arrayContaining(["README.md", "LICENSE", "dist/package/kmip.js"]));
});

it("./kmip runs with nothing else installed", () => {
  const printed = bare.node(
    `import { decodeRequest, encodeRequest, KmipError } from "@coffer/kit/kmip";
     const header = { protocolVersion: { major: 2, minor: 1 } };
     const bytes = encodeRequest({ header, items: [{ operation: "Query", payload: { queryFunction: ["QueryOperations"] } }] });
     console.log(decodeRequest(bytes).items[0].operation, new KmipError("ItemNotFound").code);`,
  );
  expect(printed).toBe("Query ItemNotFound");
});

it("./kmip can be bundled for browsers, of itself alone", async () => {
  const { metafile, errors } = await build({
    stdin: { contents: `export * from "@coffer/kit/kmip";`, resolveDir: bare.folder },
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
    writeFileSync(join(project.folder, "endpoint.json"), JSON.stringify(server.endpoint));
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
    writeFileSync(join(project.folder, "connect.mjs"), source);
    const child = spawn(process.execPath, ["connect.mjs"], {
      cwd: project.folder,
      env: { PATH: process.env.PATH },
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += String(data)));
    child.on("close", () => resolve(output.trim()));
    expect(await promise).toBe("32 true ObjectNotFound");
    await server.close();
  });

  it("./hsm starts one, in a project of its own", () => {
    const printed = project.node(
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
    const compilerOptions = {
      ...resolution,
      target: "es2024",
      lib: ["es2024"],
      types: ["node"],
      strict: true,
      noEmit: true,
      skipLibCheck: false,
    };
    expect(project.types(consumer, compilerOptions)).toBe("");
  });
});
