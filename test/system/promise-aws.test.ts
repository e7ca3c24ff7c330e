/**
 * Promises 1 and 2 for a tenant whose data keys AWS KMS keeps (M19): no plaintext key byte in the edge, and none in JavaScript of the instance in
 * Node that gets them, in CMS. EMULATED: a stand-in on loopback has the keys. A browser gets none (test/edge/aws-kms.test.ts).
 */

import { afterAll, beforeAll, expect, it } from "vitest";
import { startAwsKms } from "#emulator/aws-kms/index.ts";
import { launchNitroEnclave, makeNitroAuthority } from "#emulator/enclave/index.ts";
import { encodeHex, utf8 } from "#protocol/bytes.ts";
import type { LoadAnswer } from "#protocol/keys/index.ts";
import { createPortClient } from "#protocol/port/index.ts";
import { startMicroservice } from "#web/hosts/node/index.ts";
import { recordInProcess } from "../chromium/in-process.ts";
import { bytesOf, violations } from "../chromium/rules.ts";
import { contextOf, custodianOf } from "../hosts/index.ts";
import {
  canReadMemory,
  needle,
  scanBytes,
  scanDirectory,
  scanProcess,
  watchMemory,
} from "../memory/index.ts";
import { json } from "../support/http.ts";
import { askGrant } from "../support/instance.ts";
import { skipTest } from "../support/missing.ts";
import { useSystem, watchTraffic } from "./index.ts";

const SECRET = "COFFER_AWS_SECRET_TEST";
const credentials = { accessKeyId: "AKIDEMULATED", secretAccessKey: "EMULATED-secret-access-key" };
const region = "eu-central-1";
const key = "EMULATED-key";
const authority = await makeNitroAuthority(new Date());
const enclave = await launchNitroEnclave(authority, {
  code: utf8("a microservice in an enclave"),
  clock: Date.now,
});
const image = encodeHex(new Map(enclave.registers.locked()).get(0) ?? new Uint8Array());
const keys: Uint8Array[] = [];
let watch: ReturnType<typeof watchMemory> | null = null;
const aws = await startAwsKms({
  ...{ region, credentials, keyId: key, roots: [authority.root], imageSha384: image },
  onKey(made) {
    keys.push(Uint8Array.from(made));
    watch?.add(needle(`data key ${keys.length}`, made));
  },
});
const { endpoint } = aws;
const backEnd = {
  kind: "aws-kms" as const,
  key,
  region,
  endpoint,
  secret: SECRET,
  without: ["account-keys" as const],
};
const system = useSystem({
  otherTenants: ["aws"],
  tenantSettings: { aws: { backEnd } },
  vars: { [SECRET]: JSON.stringify(credentials) },
});
const traffic = watchTraffic();
const recorder = recordInProcess("/web/microservice/");
let seen: Awaited<ReturnType<ReturnType<typeof watchMemory>["stop"]>> | null = null;
const opened: unknown[] = [];

beforeAll(async () => {
  watch = canReadMemory(system.pid) ? watchMemory(system.pid) : null;
  const custodian = await custodianOf(
    { ...system, ...system.tenant("aws"), running: system.running } as Parameters<typeof custodianOf>[0],
    "Ada",
  );
  const attester = {
    environment: async () => "emulated" as const,
    attest: async () => {
      throw new Error("it enrols by a grant");
    },
    attestKey: (publicKey: Uint8Array<ArrayBuffer>) => enclave.attest({ publicKey }),
  };
  const started = startMicroservice({ ...custodian.options, attester });
  const port = createPortClient(started.port);
  await port.hello(custodian.dn);
  await port.enrol({ method: "grant", grant: await askGrant(custodian.client) });
  const certificate = await port.certificate();
  const { account, client } = custodian;
  const order = { account, count: 6, purpose: "document" };
  const { edks } = json<{ edks: string[] }>(await client.rest("POST", "/kms/data-keys", order));
  const several = { way: "several", edks, certificate, attestation: await port.attestation() };
  await port.load(json<LoadAnswer>(await client.rest("POST", "/kms/loads", several)));
  const one = { way: "rewrap", edk: edks[0], certificate, attestation: await port.attestation() };
  await port.load(json<LoadAnswer>(await client.rest("POST", "/kms/loads", one)));
  for (const edk of edks) {
    const context = { ...contextOf(custodian), document: crypto.randomUUID(), purpose: "document" };
    const sealed = await new Response(port.seal({ edk, context }, utf8("kept by AWS KMS"))).bytes();
    await port.lock();
    opened.push(await new Response(port.open({ context }, sealed)).text());
  }
  started.close();
  seen = watch && (await watch.stop());
});
afterAll(async () => {
  traffic.stop();
  recorder.stop();
  await aws.close();
});

const needles = () => keys.map((made, n) => needle(`data key ${n}`, made));

it("Promise 1 M19 by AWS KMS: the edge's memory, stores, log and traffic hold no data key", () => {
  expect(opened).toEqual(Array.from({ length: 6 }, () => "kept by AWS KMS"));
  // One more was asked for in clear, and refused.
  expect(keys.length).toBeGreaterThan(6);
  expect(scanBytes(Buffer.from(JSON.stringify(aws.messages)), needles(), "AWS KMS")).toEqual([]);
  expect(scanBytes(traffic.bytes(), needles(), "KMIP")).toEqual([]);
  expect(scanDirectory(system.dir, needles()).findings).toEqual([]);
  expect(scanBytes(Buffer.from(system.log()), needles(), "log")).toEqual([]);
});

it("Promise 1 M19 by AWS KMS: workerd's memory has none while keys are made and released", (context) => {
  if (!seen) return skipTest(context, "the memory of workerd cannot be read here");
  expect(seen.findings).toEqual([]);
  expect(seen.passes).toBeGreaterThan(2);
  expect(scanProcess(system.pid, needles()).findings).toEqual([]);
});

it("Promise 2 M19 by AWS KMS: no call to SubtleCrypto of the instance has key bytes, and every key but the commitment stays in", () => {
  const { calls } = recorder;
  expect(violations(calls)).toEqual([]);
  expect(calls.filter(({ method, error }) => method === "unwrapKey" && !error).length).toBeGreaterThan(12);
  const recorded = bytesOf(calls);
  expect(recorded.length).toBeGreaterThan(5_000);
  expect(scanBytes(recorded, needles(), "calls")).toEqual([]);
});

it("Promises 1 and 2 M19 by AWS KMS: the same scans find a key that is planted (positive control)", () => {
  const [first] = keys;
  const planted = Buffer.from(JSON.stringify({ Plaintext: Buffer.from(first ?? []).toString("base64") }));
  expect(scanBytes(planted, needles(), "planted")).toHaveLength(1);
  const call = { realm: "worker", origin: "", target: "", sequence: 1, method: "decrypt" } as const;
  const hex = Buffer.from(first ?? []).toString("hex");
  const recorded = bytesOf([{ ...call, args: [], result: { bytes: 32, hex } }]);
  expect(scanBytes(recorded, needles()).length).toBeGreaterThan(0);
});
