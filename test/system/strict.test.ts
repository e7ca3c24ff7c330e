/**
 * The strict variant of level `master` (W1, docs/decisions/0037): the HSM has the master key no more. An application server goes on and
 * makes what the HSM made; a further one gets the master key by the ceremony with the recovery recipient, and in no other way.
 */

import { createPrivateKey } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { thumbprintOf } from "#cli/recovery-key.ts";
import { digest } from "#protocol/digest.ts";
import { IDENTITY, masterKeyName, named, recoveryKeyName } from "#protocol/hierarchy/index.ts";
import type { Step } from "#web/microservice/index.ts";
import { auditThat } from "../support/audit.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { InstanceClient } from "../support/instance-client.ts";
import { Recovery } from "../support/recovery.ts";
import { PASSPHRASE, serve, told } from "../support/served.ts";
import { hsmClient } from "./hsm.ts";
import { readRows, useSystem } from "./index.ts";

const NEEDED = { code: "recovery-needed" };
const SECRET = "what the HSM's operator cannot open";
const system = useSystem({ level: "master" });
const folder = mkdtempSync(join(tmpdir(), "coffer-strict-"));
const at = (name: string) => join(folder, name);
let recovery: Recovery;
let letter: string;
let master: string;

/** A server with its app-specific key and its ciphertext there; `steps` of its instance. */
async function server(name: string, steps: Step[] = []) {
  return serve(system, at(name), steps);
}

/** Thumbprints of app-specific keys. */
function keyOfServer(name: string, file = "app-specific-key.pem"): string {
  const key = readFileSync(at(join(name, file)), "utf8");
  const pkcs8 = createPrivateKey({ key, passphrase: PASSPHRASE }).export({ format: "der", type: "pkcs8" });
  return thumbprintOf(new Uint8Array(pkcs8));
}
async function keyOf({ keys }: InstanceClient): Promise<string> {
  return digest(new Uint8Array(await crypto.subtle.exportKey("spki", keys.wrapping.publicKey)));
}

/** Another server with what the first one stored, and no key of it. */
function copyDocuments(name: string): void {
  cpSync(at("first"), at(name), { recursive: true, filter: (path) => !path.endsWith(".pem") });
}

async function atHsm<T>(work: (officer: Awaited<ReturnType<typeof hsmClient>>) => Promise<T>): Promise<T> {
  const officer = await hsmClient(system, IDENTITY.officer);
  return work(officer).finally(() => officer.close());
}

const challenge = () => ({
  challenge: Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url"),
});
const askMaster = (by: InstanceClient) => by.rest("POST", "/instances/master-key", challenge());

beforeAll(async () => {
  for (const name of ["first", "recovery"]) cpSync(mkdtempSync(at("new-")), at(name), { recursive: true });
  recovery = new Recovery(system, at("recovery"));
  const first = await server("first");
  letter = crypto.randomUUID();
  expect((await first.upload(letter, SECRET)).status).toBe(201);
  first.client.close();
  const name = named(masterKeyName("development"));
  [master = ""] = await atHsm(
    async (hsm) => (await hsm.request("Locate", { attributes: { name } })).uniqueIdentifier,
  );
  await recovery.makeStrict();
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("W1 (strict) an instance that had the master key goes on: with a new certificate, and after the KMS forgot", async () => {
  await system.restart();
  const first = await server("first");
  expect(await (await first.download(letter)).text()).toBe(SECRET);
  const another = crypto.randomUUID();
  expect((await first.upload(another, "sealed since")).status).toBe(201);
  expect(await (await first.download(another)).text()).toBe("sealed since");
  first.client.close();
});

it("W1, W11 (strict) an account's first keys are made by the instance, and no key of the hierarchy by the HSM", async () => {
  const steps: Step[] = [];
  const { client, enrolled } = await server("first", steps);
  const { id: account } = await client.life.create("Cases of the strict");
  const context = { tenant: "development", account, document: crypto.randomUUID(), purpose: "document" };
  const sealed = new Blob([await new Response(enrolled.port.seal({ context }, new Blob([SECRET]))).bytes()]);
  expect(await new Response(enrolled.port.open({ context }, sealed)).text()).toBe(SECRET);
  const made = told(steps).filter((step) => step.includes("new "));
  expect(made).toEqual([
    "ask new account key IAM",
    "get new account key IAM",
    "ask new data key IAM",
    "get new data key IAM",
  ]);
  expect(readRows(system.edgeDir, "account_keys").map(({ master }) => master)).toContain(master);

  // Another instance with the same app-specific key opens it, and rotates both by what its custodian asks for.
  const again = await server("first");
  expect(await new Response(again.enrolled.port.open({ context }, sealed)).text()).toBe(SECRET);
  expect(await again.client.life.rotateKey(account)).toMatchObject({ version: 2 });
  expect(await again.client.life.rotateDataKey(account)).toMatchObject({ keyVersion: 2 });
  expect(await new Response(again.enrolled.port.open({ context }, sealed)).text()).toBe(SECRET);
  const later = await new Response(again.enrolled.port.seal({ context }, new Blob(["later"]))).bytes();
  expect(await new Response(enrolled.port.open({ context }, new Blob([later]))).text()).toBe("later");
  for (const one of [client, again.client]) one.close();
});

it("W1 (strict) what the HSM alone could do is refused, and says that an instance has to", async () => {
  const ann = await EdgeClient.signedIn(system, "Ann");
  const order = { account: ann.account, count: 1, purpose: "document" };
  expect(problem(await ann.rest("POST", "/kms/data-keys", order))).toBe("409 strict-tenant");
  const instance = await InstanceClient.ready(ann);
  const path = `/instances/accounts/${instance.account}`;
  expect(problem(await instance.rest("POST", `${path}/key`))).toBe("409 strict-tenant");
  expect(problem(await instance.rest("GET", `${path}/key`))).toBe("409 strict-tenant");
  const ki = { account: instance.account, purpose: "document" };
  expect(problem(await instance.rest("POST", "/instances/key-identifiers", ki))).toBe("409 strict-tenant");
  expect(problem(await instance.rest("POST", `${path}/data-keys`, { purpose: "document" }))).toBe(
    "409 strict-tenant",
  );
  // Nor does it get the master key in any other way than by the ceremony.
  expect(problem(await askMaster(instance))).toBe("403 recovery-needed");
  await auditThat(system, "development", (entries) =>
    ["recovery-needed", "strict-tenant"].every((code) => entries.some((entry) => entry.code === code)),
  );
});

it("W1 (strict) takes an account key of an instance once, in the place of the one that it knows", async () => {
  const bob = await EdgeClient.signedIn(system, "Bob");
  const instance = await InstanceClient.ready(bob);
  const path = `/instances/accounts/${instance.account}/key`;
  const wrapped = (byte: number) => Buffer.alloc(40, byte).toString("base64url");
  const put = (made: object) => instance.rest("PUT", path, made);
  expect(problem(await put({ wrapped: wrapped(1), master: "another" }))).toBe("409 conflict");
  expect(problem(await put({ wrapped: wrapped(1), master, replaces: "none" }))).toBe("409 conflict");
  expect(problem(await put({ wrapped: `${wrapped(1)}AAAA`, master }))).toBe("400 bad-request");
  const first = json<{ id: string; version: number }>(await put({ wrapped: wrapped(1), master }));
  expect(first.version).toBe(1);
  expect(problem(await put({ wrapped: wrapped(2), master }))).toBe("409 conflict");
  expect(problem(await put({ wrapped: wrapped(1), master, replaces: first.id }))).toBe("409 conflict");
  // Two at once in the place of one: one of them.
  const both = await Promise.all(
    [3, 4].map((byte) => put({ wrapped: wrapped(byte), master, replaces: first.id })),
  );
  expect(both.map(({ status }) => status).sort()).toEqual([201, 409]);
  // Of another account it is nobody's to say.
  const ann = await EdgeClient.signedIn(system, "Ann");
  const foreign = `/instances/accounts/${ann.account}/key`;
  expect(problem(await instance.rest("PUT", foreign, { wrapped: wrapped(5), master }))).toBe("403 forbidden");
});

it("W1 (strict) a further instance gets the master key by the ceremony for it, and opens old documents", async () => {
  copyDocuments("second");
  const second = await server("second");
  const closed = async () => expect((await second.download(letter)).text()).rejects.toMatchObject(NEEDED);
  await closed();
  const cara = await EdgeClient.signedIn(system, "Cara");
  const bystander = await InstanceClient.ready(cara);
  // The ceremony for another instance opens nothing to this one.
  await recovery.ceremony(await keyOf(bystander), closed);
  await closed();
  await recovery.ceremony(keyOfServer("second"), async () => {
    expect(problem(await askMaster(bystander))).toBe("403 recovery-needed");
    expect(await (await second.download(letter)).text()).toBe(SECRET);
  });
  second.client.close();
  // Afterwards it needs none, with another certificate neither, and nobody else got any.
  const again = await server("second");
  expect(await (await again.download(letter)).text()).toBe(SECRET);
  again.client.close();
  expect(problem(await askMaster(bystander))).toBe("403 recovery-needed");
  // Nothing of it is left at the HSM but Enc(master).
  const living = await atHsm(async (hsm) => {
    const name = named(recoveryKeyName("development"));
    const keys = [{ name }, { name: named(masterKeyName("development")) }];
    const found = keys.map((attributes) => hsm.request("Locate", { attributes }));
    return (await Promise.all(found)).flatMap(({ uniqueIdentifier }) => uniqueIdentifier);
  });
  expect(living).toEqual([]);
});

it("W12 (strict) a server keeps its app-specific key until a ceremony has brought the master key to the next one", async () => {
  const first = await server("first");
  const before = keyOfServer("first");
  await expect(first.client.life.rotateAppKey()).rejects.toMatchObject(NEEDED);
  expect(keyOfServer("first")).toBe(before);
  expect(await (await first.download(letter)).text()).toBe(SECRET);
  const next = keyOfServer("first", "app-specific-key.pem.next");
  await recovery.ceremony(next, () => first.client.life.rotateAppKey());
  expect(keyOfServer("first")).toBe(next);
  expect(await (await first.download(letter)).text()).toBe(SECRET);
  first.client.close();
  const again = await server("first");
  expect(await (await again.download(letter)).text()).toBe(SECRET);
  again.client.close();
});

it("W1 (strict) after the loss of all instances the recovery key brings the documents back", async () => {
  copyDocuments("third");
  for (const name of ["first", "second"]) rmSync(at(name), { recursive: true });
  await system.restart();
  const third = await server("third");
  await expect((await third.download(letter)).text()).rejects.toMatchObject(NEEDED);
  await recovery.ceremony(keyOfServer("third"), async () => {
    expect(await (await third.download(letter)).text()).toBe(SECRET);
  });
  third.client.close();
});

it("W1, W12 (strict) a master key that was compromised since is given to nobody, by no ceremony", async () => {
  const third = await server("third");
  expect(await (await third.download(letter)).text()).toBe(SECRET);
  const dora = await InstanceClient.ready(await EdgeClient.signedIn(system, "Dora"));
  await atHsm((hsm) =>
    hsm.request("Revoke", {
      uniqueIdentifier: master,
      revocationReason: { revocationReasonCode: "KeyCompromise" },
      compromiseOccurrenceDate: new Date(),
    }),
  );
  await system.restart();
  await dora.authenticate();
  expect(problem(await askMaster(dora))).toBe("502 hsm-refused");
  const ceremony = recovery.ceremony(await keyOf(dora), async () => undefined);
  await expect(ceremony).rejects.toThrow("No master key of development");
  third.client.close();
  // Who had Enc(master) gets it no more, nor a certificate (M5).
  await expect(server("third")).rejects.toMatchObject({ code: "forbidden" });
});
