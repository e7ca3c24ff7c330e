/** B3 in one trace: a data key's own policy lists a name and an action; KMS, microservice and CaaS each keep to it. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { operations } from "#protocol/contract/index.ts";
import type { Load } from "#protocol/keys/index.ts";
import type { KeyPolicy } from "#protocol/policy/index.ts";
import { createPortClient, type PortClient } from "#protocol/port/index.ts";
import { startMicroservice } from "#web/hosts/node/index.ts";
import { type Answer, json, problem } from "../support/http.ts";
import { askGrant } from "../support/instance.ts";
import { readRows, useSystem } from "../system/index.ts";
import { caasHost, sayOperations } from "./caas.ts";
import { custodianOf, type NodeCustodian } from "./index.ts";

type Party = NodeCustodian & { port: PortClient; certificate: string; close(): void };

const system = useSystem();
const data = encodeBase64url(utf8("a letter to nobody else"));
// Of the tenant itself: the key's own policy alone says whose it is.
const context = { tenant: "development", purpose: "data" };
let [ada, bob]: Party[] = [];

async function join(user: string): Promise<Party> {
  const custodian = await custodianOf(system, user);
  const { port, close } = startMicroservice(custodian.options);
  const client = createPortClient(port);
  await client.hello(custodian.dn);
  await client.enrol({ method: "grant", grant: await askGrant(custodian.client) });
  return { ...custodian, port: client, certificate: await client.certificate(), close };
}

beforeAll(async () => {
  await sayOperations(system, true);
  [ada, bob] = await Promise.all([join("Ada"), join("Bob")]);
});
afterAll(() => {
  ada?.close();
  bob?.close();
});

async function order({ client }: Party, policy: KeyPolicy): Promise<string> {
  const asked = { count: 1, purpose: "data", algorithm: "AES-256-GCM-HKDF-SHA512-COMMIT-KEY", policy };
  const { edks } = json<{ edks: string[] }>(await client.rest("POST", "/kms/data-keys", asked));
  return edks[0] ?? "";
}
const rewrap = ({ client, certificate }: Party, edk: string) =>
  client.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate });
const atCaas = ({ client }: Party, operation: "encrypt" | "decrypt", body: object) =>
  caasHost(client).send("POST", operations[operation].path, { body: { context, ...body } });
const codeOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => "none",
    (error: { code: string }) => error.code,
  );

/** Refused as forbidden, with a row that says to whom, for what and why. */
async function refused(answer: Answer, { dn }: Party, action: string, reason: string): Promise<void> {
  expect(problem(answer)).toBe("403 forbidden");
  const requestId = json<{ instance: string }>(answer).instance.replace("urn:uuid:", "");
  const row = { action, outcome: "deny", code: "forbidden", custodian: dn, reason };
  await expect
    .poll(() =>
      readRows(system.edgeDir, "links")
        .map(({ entry }) => JSON.parse(String(entry)))
        .filter((entry) => entry.requestId === requestId && entry.outcome === "deny"),
    )
    .toEqual([expect.objectContaining(row)]);
}

it("B3 a name whose common name is left open is each custodian's of the app, at KMS, microservice and CaaS, and nobody else's", async () => {
  const anyone = ada!.dn.replace(/^CN=[^,]*/, "CN=*");
  expect(bob!.dn.replace(/^CN=[^,]*/, "CN=*")).toBe(anyone);
  const key = await order(ada!, { operations: ["encrypt"], principals: [anyone] });
  for (const party of [ada!, bob!]) {
    const loaded = await rewrap(party, key);
    expect(loaded.status, loaded.text).toBe(200);
    await party.port.load(json<Load>(loaded));
    expect(await codeOf(party.port.operate("encrypt", { key, context, data }))).toBe("none");
    expect((await atCaas(party, "encrypt", { key, data })).status).toBe(200);
  }
  const elsewhere = await order(ada!, {
    operations: ["encrypt"],
    principals: [anyone.replace(/OU=[^,]*/, "OU=https://other.example")],
  });
  await refused(await rewrap(ada!, elsewhere), ada!, "kms:rewrap", "not allowed by principal");
  const answer = await atCaas(ada!, "encrypt", { key: elsewhere, data });
  await refused(answer, ada!, "kms:encrypt", "policy: not allowed by principal");
  // A wildcard anywhere else is no order.
  const policy = { operations: ["encrypt"], principals: [ada!.dn.replace(/O=[^,]*$/, "O=*")] };
  const asked = { count: 1, purpose: "data", algorithm: "AES-256-GCM-HKDF-SHA512-COMMIT-KEY", policy };
  expect(problem(await ada!.client.rest("POST", "/kms/data-keys", asked))).toBe("400 bad-request");
});

it("B3 a listed name with a listed action passes at KMS, microservice and CaaS; another action and another name are refused by each", async () => {
  const key = await order(ada!, { operations: ["encrypt"], principals: [ada!.dn] });

  // The listed name, the listed action.
  const loaded = await rewrap(ada!, key);
  expect(loaded.status, loaded.text).toBe(200);
  const load = json<Load>(loaded);
  await ada!.port.load(load);
  const { message } = await ada!.port.operate("encrypt", { key, context, data });
  const sealed = await atCaas(ada!, "encrypt", { key, data });
  expect(sealed.status, sealed.text).toBe(200);

  // The listed name, another action: of what either of them has encrypted.
  for (const each of [message, json<{ message: string }>(sealed).message]) {
    expect(await codeOf(ada!.port.operate("decrypt", { context, message: each }))).toBe("forbidden");
    const answer = await atCaas(ada!, "decrypt", { message: each });
    await refused(answer, ada!, "kms:decrypt", "policy: not allowed by operation");
  }
  // A load is for what the policy lists: where that is nothing there is none.
  const nothing = await order(ada!, { operations: [], principals: [ada!.dn] });
  await refused(await rewrap(ada!, nothing), ada!, "kms:rewrap", "policy allows no operation");

  // Another name: neither by the KMS, nor by a load that was meant for the listed one, nor in the HSM.
  await refused(await rewrap(bob!, key), bob!, "kms:rewrap", "not allowed by principal");
  expect(await codeOf(bob!.port.load(load))).toBe("key-refused");
  expect(await codeOf(bob!.port.operate("encrypt", { key, context, data }))).toBe("key-missing");
  const answer = await atCaas(bob!, "encrypt", { key, data });
  await refused(answer, bob!, "kms:encrypt", "policy: not allowed by principal");
});
