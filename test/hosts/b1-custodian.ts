/**
 * A custodian as a process of its own: the whole of B1 with a microservice that it reaches through a sidecar. Its settings come
 * in a file, and what it sent and got goes to standard output, message by message.
 */

import { readFileSync } from "node:fs";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import type { Load } from "#protocol/keys/index.ts";
import type { Place, TlsIdentity } from "#web/hosts/node/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json } from "../support/http.ts";
import { callService, serviceClient } from "./service-client.ts";

type Settings = {
  origins: { appOrigin: string; vaultOrigin: string };
  user: string;
  place: Place;
  identity: TlsIdentity;
  /** Enrol first; later the instance is there. */
  secretZero?: string;
};

const [file = ""] = process.argv.slice(2);
const { origins, user, place, identity, secretZero } = JSON.parse(readFileSync(file, "utf8")) as Settings;
const told = (message: string) => process.stdout.write(`${message}\n`);
const client = await EdgeClient.signedIn(origins, user);
const service = serviceClient(place, identity);
// A key of the tenant itself: encrypted directly under its master key, by way of no account.
const context = { tenant: client.tokens.tenant, purpose: "data" };

type Described = { instance: { wrappingCertificate: string; method: string } };
if (secretZero !== undefined) {
  const { method } = await callService<Described["instance"]>(service, "enrol", {
    body: { method: "secret-zero", secretZero },
  });
  told(`microservice enrolled by ${method}`);
}
const order = { count: 1, purpose: "data", algorithm: "AES-256-GCM-HKDF-SHA512-COMMIT-KEY" };
const { edks } = json<{ edks: string[] }>(await client.rest("POST", "/kms/data-keys", order));
const [edk = ""] = edks;
const claims = JSON.parse(Buffer.from(edk.split(".")[1] ?? "", "base64url").toString()) as Record<
  string,
  unknown
>;
told(
  `KMS data key encrypted by the ${"masterKey" in claims && !("accountKey" in claims) ? "tenant" : "account"} key`,
);
const { instance } = await callService<Described>(service, "describe");
told("microservice wrapping certificate");
const request = { way: "rewrap", edk, certificate: instance.wrappingCertificate };
const load = json<Load>(await client.rest("POST", "/kms/loads", request));
told("KMS wrapped key");
await callService(service, "load", { body: load });
told("microservice key unwrapped");
const data = encodeBase64url(utf8("a letter to nobody else"));
const { message } = await callService<{ message: string }>(service, "encrypt", {
  body: { key: edk, context, data },
});
const opened = await callService<{ data: string }>(service, "decrypt", { body: { context, message } });
told(opened.data === data ? "microservice key used" : "microservice gave something else");
service.close();
