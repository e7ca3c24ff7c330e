/**
 * A custodian that starts anew (B2): all that it has of before is a file with the encrypted data key and what was sealed under it. Its
 * microservice, of the installed package, is another one. Prints the refusal before the key is handed over, and what is opened after.
 */

import { readFileSync } from "node:fs";
import { decodeBase64url } from "#protocol/base64url.ts";
import { memoryStore } from "#web/hosts/node/index.ts";
import type * as Package from "#web/microservice/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json } from "../support/http.ts";

export type Archive = {
  /** URL of the installed package's module. */
  module: string;
  origins: { appOrigin: string; vaultOrigin: string };
  user: string;
  /** The deployment's root key, and the sealed document: base64url. */
  rootKey: string;
  edk: string;
  sealed: string;
  context: Record<string, string>;
};

const [file = ""] = process.argv.slice(2);
const archive = JSON.parse(readFileSync(file, "utf8")) as Archive;
const { origins, user, edk, context } = archive;
const kit = (await import(archive.module)) as typeof Package;
const custodian = await EdgeClient.signedIn(origins, user);
const withCookie: typeof fetch = (input, init) =>
  fetch(input, {
    ...init,
    headers: {
      ...(init?.headers as Record<string, string>),
      origin: origins.vaultOrigin,
      cookie: custodian.cookie,
    },
  });
const { port1, port2 } = new MessageChannel();
const microservice = kit.createMicroservice({
  crypto: kit.captureCrypto(globalThis.crypto),
  store: memoryStore(),
  registration: kit.restRegistration(withCookie, origins.vaultOrigin),
  rootKey: decodeBase64url(archive.rootKey),
  origin: origins.appOrigin,
  measurement: "unmeasured",
  now: Date.now,
  schedule: (task, delay) => void setTimeout(task, delay).unref(),
});
const close = kit.servePort(port1, microservice);
const port = kit.createPortClient(port2);
const ask = async <T>(path: string, body: object = {}) => json<T>(await custodian.rest("POST", path, body));
const open = () => new Response(port.open({ context }, decodeBase64url(archive.sealed))).text();

await port.hello(custodian.tokens.custodian.dn);
const { grant } = await ask<{ grant: string }>("/ra/grants");
await port.enrol({ method: "grant", grant });
const before = await open().then(
  () => "opened",
  (error: { code?: string }) => error.code ?? String(error),
);
const certificate = await port.certificate();
await port.load(await ask("/kms/loads", { way: "rewrap", edk, certificate }));
process.stdout.write(`${JSON.stringify({ before, after: await open() })}\n`);
close();
port2.close();
