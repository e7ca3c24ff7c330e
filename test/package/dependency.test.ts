/** The microservice as a dependency of an app's own process, from the package as npm installs it. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, it } from "vitest";
import { encodeBase64url } from "#protocol/base64url.ts";
import { useSystem } from "../system/index.ts";
import { type Project, packPackage } from "./installed.ts";

const system = useSystem();
let project: Project;
beforeAll(() => {
  project = packPackage().install("project");
});

/** The app: what is not the microservice's is the repository's own client of the edge. */
const APP = `
  import { createPortClient, startMicroservice } from "@coffer/kit/microservice/node";
  const settings = JSON.parse(process.argv[2]);
  const { EdgeClient } = await import(settings.support + "edge-client.ts");
  const { askGrant } = await import(settings.support + "instance.ts");
  const { json } = await import(settings.support + "http.ts");
  const { loopbackFetch } = await import(settings.support + "../../cli/loopback-fetch.ts");

  const custodian = await EdgeClient.signedIn(settings.origins, "Ada");
  const { vault, app: origin, cookie } = custodian;
  const fetch = (input, init) => loopbackFetch(input, { ...init, headers: { ...init.headers, origin: vault, cookie } });
  const rootKey = new Uint8Array(Buffer.from(settings.rootKey, "base64url"));
  const { port, close } = startMicroservice({ vault, origin, fetch, rootKey });
  const microservice = createPortClient(port);
  const dn = custodian.tokens.custodian.dn;
  console.log("instantiated", (await microservice.hello(dn)).instance);

  const algorithm = "AES-256-GCM-HKDF-SHA512-COMMIT-KEY";
  const order = { count: 1, purpose: "data", algorithm };
  const { edks: [edk] } = json(await custodian.rest("POST", "/kms/data-keys", order));
  const payload = JSON.parse(Buffer.from(edk.split(".")[1], "base64url"));
  const under = "masterKey" in payload && !("accountKey" in payload) ? "tenant key" : "account key";
  console.log("encrypted data key", under, payload.wrapping, Buffer.from(payload.wrappedKey, "base64url").length);

  await microservice.enrol({ method: "grant", grant: await askGrant(custodian) });
  const { instance } = await microservice.hello(dn);
  console.log("wrapping certificate", instance.custodian === dn);
  const request = { way: "rewrap", edk, certificate: instance.wrappingCertificate };
  const load = json(await custodian.rest("POST", "/kms/loads", request));
  console.log("wrapped key", Buffer.from(load.wrappedKey, "base64url").length);

  console.log("unwrapped", (await microservice.load(load)).keyId === payload.keyId);
  const context = { tenant: custodian.tokens.tenant, purpose: "data" };
  const data = Buffer.from("a letter").toString("base64url");
  const { message } = await microservice.operate("encrypt", { key: edk, context, data });
  const opened = await microservice.operate("decrypt", { context, message });
  console.log("used", opened.data === data && !message.includes(data));
  close();
  process.exit();
`;

it("B7 the microservice as an imported dependency: the whole of B1, message by message", async () => {
  const script = join(project.folder, "app.mjs");
  writeFileSync(script, APP);
  const settings = {
    support: new URL("../support/", import.meta.url).href,
    origins: { appOrigin: system.appOrigin, vaultOrigin: system.vaultOrigin },
    rootKey: encodeBase64url(system.running.rootKey),
  };
  const child = spawn(process.execPath, ["--no-warnings", script, JSON.stringify(settings)], {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk));
  await once(child, "close");
  expect(err + out).toBe(
    [
      "instantiated null",
      "encrypted data key tenant key A256KWP 40",
      "wrapping certificate true",
      "wrapped key 1176",
      "unwrapped true",
      "used true",
      "",
    ].join("\n"),
  );
});
