/**
 * M19: a tenant whose entry names AWS KMS, the whole way: EDKs that were made there, released to an attested instance in CMS, with a receipt over
 * it. EMULATED: a stand-in on loopback answers, and the enclave's root is none of AWS's.
 */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Client, connect } from "#cli/client.ts";
import { startAwsKms } from "#emulator/aws-kms/index.ts";
import {
  emulatedNitroEnclave,
  launchNitroEnclave,
  makeNitroAuthority,
  type NitroAuthority,
} from "#emulator/enclave/index.ts";
import { encodeBase64url } from "#protocol/base64url.ts";
import { encodeHex, utf8 } from "#protocol/bytes.ts";
import { codeOf } from "#protocol/error.ts";
import type { Assurance } from "#protocol/hierarchy/index.ts";
import type { AccountEdk, Load, Receipt } from "#protocol/keys/index.ts";
import { parseCertificate, parseEnvelopedData } from "#protocol/pki/index.ts";
import { createPortClient, type PortClient } from "#protocol/port/index.ts";
import { startMicroservice } from "#web/hosts/node/index.ts";
import { contextOf, custodianOf, type NodeCustodian } from "../hosts/index.ts";
import { auditThat } from "../support/audit.ts";
import { json, problem } from "../support/http.ts";
import { askGrant } from "../support/instance.ts";
import { useSystem } from "../system/index.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What runs in the enclave of the tests that look at one message each. */
const CODE = utf8("a microservice in an enclave");
const authority = await makeNitroAuthority(new Date());
const enclave = await launchNitroEnclave(authority, { code: CODE, clock: Date.now });
const registerOf = ({ registers }: typeof enclave) =>
  encodeHex(new Map(registers.locked()).get(0) ?? new Uint8Array());

const credentials = { accessKeyId: "AKIDEMULATED", secretAccessKey: "EMULATED-secret-access-key" };
const region = "eu-central-1";
const standIn = (imageSha384: readonly string[] | null, keyId = "EMULATED-key") =>
  startAwsKms({ region, credentials, keyId, roots: [authority.root], imageSha384 });
/** What the key's policy at AWS takes, which its operator changes with a release. */
const images = [registerOf(enclave)];
const aws = await standIn(images);
/** Its key's policy lets anyone with the credentials have keys in clear. */
const open = await standIn(null, "EMULATED-open");
const entry = (endpoint: string, key: string, secret: string, without: Assurance[]) => ({
  backEnd: { kind: "aws-kms" as const, key, region, endpoint, secret, without },
});
const SECRET = "COFFER_AWS_SECRET_TEST";
const TENANTS = {
  aws: entry(aws.endpoint, "EMULATED-key", SECRET, ["account-keys"]),
  "aws-older": {
    backEnd: {
      ...entry(aws.endpoint, "EMULATED-key", SECRET, ["account-keys"]).backEnd,
      hsm: { newest: "1.3" as const, without: ["sensitive" as const, "account-keys" as const] },
    },
  },
  "aws-silent": entry(aws.endpoint, "EMULATED-key", SECRET, []),
  "aws-open": entry(open.endpoint, "EMULATED-open", SECRET, ["account-keys"]),
  "aws-nobody": entry(aws.endpoint, "EMULATED-key", "COFFER_AWS_SECRET_UNSET", ["account-keys"]),
};
const system = useSystem({
  otherTenants: Object.keys(TENANTS),
  tenantSettings: TENANTS,
  vars: { [SECRET]: JSON.stringify(credentials), COFFER_AUDIT_SECONDS: "1" },
});
afterAll(() => Promise.all([aws.close(), open.close()]));

const at = (tenant: string) => ({ ...system, ...system.tenant(tenant), running: system.running });
const order = ({ client, account }: NodeCustodian, more: object = {}) =>
  client.rest("POST", "/kms/data-keys", {
    ...{ account, count: 2, purpose: "data", algorithm: "AES-256-GCM-HKDF-SHA512-COMMIT-KEY" },
    ...more,
  });
function claims<T>(jws: string): T {
  return JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString());
}

type Instance = { port: PortClient; certificate: string; spki: Bytes; close(): void };

/** Enrolled, in this process; `platform` answers for it. */
async function enrolled(custodian: NodeCustodian, platform = enclave): Promise<Instance> {
  const attester = {
    environment: async () => "emulated" as const,
    attest: async () => {
      throw new Error("it enrols by a grant");
    },
    attestKey: (publicKey: Bytes) => platform.attest({ publicKey }),
  };
  const started = startMicroservice({ ...custodian.options, attester });
  const port = createPortClient(started.port);
  await port.hello(custodian.dn);
  await port.enrol({ method: "grant", grant: await askGrant(custodian.client) });
  const certificate = await port.certificate();
  const { spki } = parseCertificate(new Uint8Array(Buffer.from(certificate, "base64url")));
  return { port, certificate, spki, close: started.close };
}

it("M19 a platform makes a document where one is asked for, and for a certificate alone none", async () => {
  let made = 0;
  const counting = {
    attest: (asked: Parameters<typeof enclave.attest>[0]) => {
      made++;
      return enclave.attest(asked);
    },
  };
  const { port, close } = await enrolled(custodian, { ...enclave, ...counting });
  await port.certificate();
  expect(made).toBe(0);
  expect(await port.attestation()).toEqual(expect.any(String));
  expect(made).toBe(1);
  close();
});

let custodian: NodeCustodian;
let instance: Instance;
let edks: string[];
beforeAll(async () => {
  custodian = await custodianOf(at("aws"), "Ada");
  instance = await enrolled(custodian);
  ({ edks } = json<{ edks: string[] }>(await order(custodian)));
});
afterAll(() => instance?.close());

const ask = (more: object, of = instance) =>
  custodian.client.rest("POST", "/kms/loads", {
    ...{ way: "rewrap", edk: edks[0], certificate: of.certificate },
    ...more,
  });
const shown = async (of = instance) => ({ attestation: await of.port.attestation() });

it("M19 AWS KMS: an EDK is made there, released in CMS to the attested instance with a receipt over it, and works there alone", async () => {
  for (const edk of edks) {
    const { wrapping, account, wrappedKey } = claims<AccountEdk>(edk);
    expect([wrapping, account]).toEqual(["aws-kms", custodian.account]);
    expect(aws.messages.map(({ answer }) => answer.CiphertextBlob)).toContain(
      Buffer.from(wrappedKey, "base64url").toString("base64"),
    );
  }
  const load = json<Load>(await ask(await shown()));
  const cms = new Uint8Array(Buffer.from(load.wrappedKey, "base64url"));
  expect(parseEnvelopedData(cms).encryptedKey).toHaveLength(384);
  const receipt = claims<Receipt>(load.receipt);
  const digest = Buffer.from(await crypto.subtle.digest("SHA-256", cms)).toString("base64url");
  expect([receipt.wrapping, receipt.wrappedKeyDigest]).toEqual(["CMS", digest]);
  expect(await instance.port.load(load).catch(codeOf)).toMatchObject({ keyVersion: 1 });

  const [key = "", other = ""] = edks;
  const context = contextOf(custodian);
  const data = encodeBase64url(utf8("kept by AWS KMS"));
  const { message } = await instance.port.operate("encrypt", { key, context, data });
  const several = { way: "several", edks, edk: undefined, ...(await shown()) };
  await instance.port.load(json<never>(await ask(several)));
  expect(await instance.port.operate("decrypt", { key, context, message })).toEqual({ data });
  await expect(instance.port.operate("decrypt", { key: other, context, message })).rejects.toThrow();
  // What was loaded is unwrapped again after it was locked.
  await instance.port.lock();
  expect(await instance.port.operate("decrypt", { key, context, message })).toEqual({ data });

  const second = await enrolled(custodian);
  await expect(second.port.load(load), "made out to another").rejects.toMatchObject({ code: "key-refused" });
  const own = json<Load>(await ask(await shown(second), second));
  await second.port.load(own);
  expect(await second.port.operate("decrypt", { key, context, message })).toEqual({ data });
  // A receipt is for one CMS, though both have the same key.
  const swapped = { ...own, wrappedKey: load.wrappedKey };
  await expect(second.port.load(swapped)).rejects.toMatchObject({ code: "key-refused" });
  second.close();
  // M10: entrusted to the custodian, and brought with the operation.
  const [entrusted = ""] = await instance.port.entrust([key]);
  expect(await instance.port.operate("decrypt", { key: entrusted, context, message })).toEqual({ data });
  for (const { answer } of aws.messages) expect(Object.keys(answer)).not.toContain("Plaintext");
});

it("M19 AWS KMS: no key for the document of another instance, an old one, other code, another platform, or none", async () => {
  const before = aws.messages.filter(({ operation }) => operation === "Decrypt").length;
  const second = await enrolled(custodian);
  const launched = (by: NitroAuthority, code: Uint8Array, more = {}) =>
    launchNitroEnclave(by, { code, clock: Date.now, ...more });
  const old = await launched(authority, CODE, { clock: () => Date.now() - 10 * 60_000 });
  const foreign = await makeNitroAuthority(new Date());
  const from = async (platform: typeof enclave) => ({
    attestation: encodeBase64url(await platform.attest({ publicKey: instance.spki })),
  });
  const cases: [string, object][] = [
    ["none", {}],
    ["another instance's", await shown(second)],
    ["without a key", { attestation: encodeBase64url(await enclave.attest({})) }],
    ["no document", { attestation: encodeBase64url(new Uint8Array(600)) }],
    ["old", await from(old)],
    ["other code", await from(await launched(authority, utf8("other code")))],
    ["a debugger", await from(await launched(authority, CODE, { debug: true }))],
    ["another platform", await from(await launched(foreign, CODE))],
  ];
  for (const [what, attestation] of cases)
    for (const way of [{ way: "rewrap" }, { way: "several", edks, edk: undefined }])
      expect(problem(await ask({ ...way, ...attestation })), what).toBe("403 attestation-refused");
  second.close();
  const decrypted = aws.messages.filter(({ operation }) => operation === "Decrypt").slice(before);
  expect(decrypted.filter(({ answer }) => "CiphertextForRecipient" in answer)).toEqual([]);
  const { entries } = await auditThat(
    system,
    "aws",
    (found) => found.filter(({ code }) => code === "attestation-refused").length >= 2 * cases.length,
  );
  const reasons = entries.flatMap(({ code, reason }) => (code === "attestation-refused" ? [reason] : []));
  expect(reasons).toContain("the attestation document names another key than the certificate");
  expect(reasons).toContain("AWS KMS refused Decrypt: AccessDeniedException");
  expect(reasons).toContain("AWS KMS refused Decrypt: ValidationException");
});

it.each([
  ["aws-silent", "aws-kms does not keep account-keys, and"],
  ["aws-open", "aws-kms does not keep sensitive, release-policy, and"],
  ["aws-nobody", "COFFER_AWS_SECRET_UNSET is not set"],
])(
  "M19 AWS KMS, %s: has no key made without the tenant's word or the operator's credentials",
  async (tenant, reason) => {
    expect(problem(await order(await custodianOf(at(tenant), "Ada")))).toBe("409 back-end-refused");
    const refused = ({ code }: { code?: string | null }) => code === "back-end-refused";
    const { entries } = await auditThat(system, tenant, (found) => found.some(refused));
    expect(entries.find(refused)).toMatchObject({ outcome: "deny", reason: expect.stringContaining(reason) });
  },
);

it("M19 AWS KMS beside an older HSM: what the entry goes without there it says for itself, and both stand in the audit log", async () => {
  const older = await custodianOf(at("aws-older"), "Ada");
  const made = json<{ edks: string[] }>(await order(older)).edks;
  expect(made.map((edk) => claims<AccountEdk>(edk).wrapping)).toEqual(["aws-kms", "aws-kms"]);
  const recorded = ({ action }: { action: string }) => action === "kms:back-end";
  const { entries } = await auditThat(system, "aws-older", (found) => found.filter(recorded).length >= 2);
  const resources = entries.filter(recorded).map(({ resource }) => resource);
  expect(resources).toEqual(
    expect.arrayContaining([
      "back-end/aws-kms/without/account-keys",
      expect.stringMatching(/^back-end\/.*kmip.*\/without\/sensitive/),
    ]),
  );
});

it("M19 AWS KMS: what is made in the HSM alone is refused there, and so is a channel from the HSM", async () => {
  const { account, client } = custodian;
  const algorithm = "AES-256-GCM-HKDF-SHA512-COMMIT-KEY";
  const { certificate } = instance;
  const orders: [string, object][] = [
    ["retained", { account, count: 1, purpose: "data", algorithm, custody: "kms" }],
    ["that signs", { account, count: 1, purpose: "signature", algorithm: "ES256" }],
    ["of the tenant", { count: 1, purpose: "document" }],
  ];
  for (const [what, body] of orders)
    expect(problem(await client.rest("POST", "/kms/data-keys", body)), what).toBe("409 back-end-refused");
  const { grant } = json<{ grant: string }>(await client.rest("POST", "/kms/grants", { edks, certificate }));
  await expect(instance.port.load({ way: "grant", grant, edks })).rejects.toMatchObject({
    code: "attestation-refused",
  });
});

it("M19 AWS KMS: the kit seals and opens a document with a microservice in a process of its own, in an emulated enclave", async () => {
  const code = new Uint8Array(await readFile(join(system.dir, "web/node/microservice.js")));
  const { appOrigin: app, vaultOrigin: vault } = system.tenant("aws");
  const of = { app, vault, rootKey: system.running.rootKey, user: "Bob", code: async () => code };
  images.push(registerOf(await launchNitroEnclave(authority, { code, clock: Date.now })));
  const client: Client = await connect({
    ...of,
    enclave: (measured) => emulatedNitroEnclave(authority, measured, { vault }),
  });
  try {
    const { id } = await client.documents.seal(utf8("a letter"), client.account(), { name: "letter.txt" });
    const opened = await client.documents.open(id);
    expect(await new Response(opened.stream as ReadableStream<Bytes>).text()).toBe("a letter");
  } finally {
    client.close();
  }
  // Without its platform's word the same code gets no key.
  const plain = await connect(of);
  const sealing = plain.documents.seal(utf8("a letter"), plain.account(), { name: "letter.txt" });
  await expect(sealing).rejects.toMatchObject({ code: "attestation-refused" });
  plain.close();
}, 120_000);
