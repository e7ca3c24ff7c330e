/** M15: limits of messages and bytes under a loaded key, in a host that keeps to them: the KMS has to release the key again. */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { rootKeyPem } from "#cli/root-key.ts";
import { encodeBase64url } from "#protocol/base64url.ts";
import type { Load } from "#protocol/keys/index.ts";
import { createPortClient } from "#protocol/port/index.ts";
import { type KeyLimits, type Place, startMicroservice } from "#web/hosts/node/index.ts";
import { json, problem } from "../support/http.ts";
import { askGrant } from "../support/instance.ts";
import { useSystem } from "../system/index.ts";
import {
  callService,
  contextOf,
  custodianOf,
  handOver,
  makeAuthority,
  type NodeCustodian,
  orderKey,
  serviceClient,
} from "./index.ts";
import { firstLine, ROOT, stop } from "./unprivileged.ts";

const system = useSystem();
const ENCRYPTS = "AES-256-GCM-HKDF-SHA512-COMMIT-KEY";
const dataOf = (length: number) => encodeBase64url(new Uint8Array(length).fill(7));
const missing = { code: "key-missing" };

/** An enrolled microservice with these limits, and how its custodian loads a key. */
async function limited(custodian: NodeCustodian, limits: KeyLimits) {
  const { port, close } = startMicroservice({ ...custodian.options, limits });
  const client = createPortClient(port);
  await client.hello(custodian.dn);
  await client.enrol({ method: "grant", grant: await askGrant(custodian.client) });
  const certificate = await client.certificate();
  const load = async (edk: string) => {
    const asked = { way: "rewrap", edk, certificate };
    await client.load(json<Load>(await custodian.client.rest("POST", "/kms/loads", asked)));
  };
  const context = contextOf(custodian);
  const encrypt = (key: string, length = 10) =>
    client.operate("encrypt", { key, context, data: dataOf(length) });
  /** What the KMS answers, as a custodian may keep it. */
  const release = async (edk: string) =>
    json<Load>(await custodian.client.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate }));
  return { client, context, load, release, encrypt, close };
}

it("M15 a key that has made as many messages as it may is gone, and comes back when the KMS releases it again", async () => {
  const custodian = await custodianOf(system, "Ada");
  const { client, context, load, encrypt, close } = await limited(custodian, { messages: 2 });
  const [edk, other] = [await orderKey(custodian, ENCRYPTS), await orderKey(custodian, ENCRYPTS)];
  await load(edk);
  await load(other);
  const [{ message }] = [await encrypt(edk), await encrypt(edk)];
  // What is opened does not count.
  for (let n = 0; n < 4; n++)
    expect(await client.operate("decrypt", { context, message })).toEqual({ data: dataOf(10) });
  await expect(encrypt(edk)).rejects.toMatchObject(missing);
  expect(await client.has(edk)).toBe(false);
  await expect(encrypt(edk)).rejects.toMatchObject(missing);
  // Of each key by itself.
  await encrypt(other);
  await load(edk);
  await encrypt(edk);
  expect(await client.operate("decrypt", { context, message })).toEqual({ data: dataOf(10) });
  close();
}, 60_000);

it("M15 an answer of the KMS that is loaded again begins no count anew", async () => {
  const custodian = await custodianOf(system, "Ada");
  const { client, load, release, encrypt, close } = await limited(custodian, { messages: 1 });
  const edk = await orderKey(custodian, ENCRYPTS);
  const kept = await release(edk);
  await client.load(kept);
  await encrypt(edk);
  await client.load(kept);
  await expect(encrypt(edk)).rejects.toMatchObject(missing);
  await expect(client.load(kept)).rejects.toMatchObject(missing);
  await load(edk);
  await encrypt(edk);
  close();
}, 60_000);

it("M15 of streams one at a time is sealed under a key whose bytes have a limit", async () => {
  const custodian = await custodianOf(system, "Ada");
  const { client, context, load, encrypt, close } = await limited(custodian, { bytes: 1000 });
  const edk = await orderKey(custodian, ENCRYPTS);
  await load(edk);
  const pipe = () => new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
  const [first, second] = [pipe(), pipe()];
  const sealed = new Response(client.seal({ edk, context }, first.readable)).bytes();
  const writer = first.writable.getWriter();
  await writer.write(new Uint8Array(100));
  // Nothing in it: were it let in, it would end at once.
  void second.writable.close().catch(() => {});
  await expect(new Response(client.seal({ edk, context }, second.readable)).bytes()).rejects.toMatchObject({
    code: "busy",
  });
  // What comes of it after the next release counts there.
  await load(edk);
  await writer.write(new Uint8Array(1500));
  await writer.close();
  await sealed;
  await expect(encrypt(edk, 1)).rejects.toMatchObject(missing);
  close();
}, 60_000);

it("M10 M15 the loaded form of a key that was brought entrusted goes too", async () => {
  const custodian = await custodianOf(system, "Ada");
  const { client, load, encrypt, close } = await limited(custodian, { messages: 1 });
  const edk = await orderKey(custodian, ENCRYPTS);
  await load(edk);
  const [entrusted = ""] = await client.entrust([edk]);
  await load(edk);
  await encrypt(entrusted);
  expect(await client.has(edk)).toBe(true);
  await expect(encrypt(entrusted)).rejects.toMatchObject(missing);
  expect(await client.has(edk)).toBe(false);
  close();
}, 60_000);

it("M15 MACs and signatures count too, and what the microservice refuses does not", async () => {
  const custodian = await custodianOf(system, "Ada");
  const { client, load, encrypt, close } = await limited(custodian, { messages: 1 });
  const data = dataOf(10);
  const [mac, signs] = [
    await orderKey(custodian, "HMAC-SHA256-HKDF-SHA512"),
    await orderKey(custodian, "ES256"),
  ];
  for (const edk of [mac, signs]) await load(edk);
  // Not what the key is for.
  await expect(encrypt(mac)).rejects.toMatchObject({ code: "forbidden" });
  await expect(client.operate("mac", { key: mac, data })).resolves.toHaveProperty("mac");
  await expect(client.operate("mac", { key: mac, data })).rejects.toMatchObject(missing);
  await client.operate("sign", { key: signs, data });
  await expect(client.operate("sign", { key: signs, data })).rejects.toMatchObject(missing);
  close();
}, 60_000);

it("M15 bytes count, those of a stream as they pass; a key that was just released takes one message of any length", async () => {
  const custodian = await custodianOf(system, "Ada");
  const { client, context, load, encrypt, close } = await limited(custodian, { bytes: 1000 });
  const edk = await orderKey(custodian, ENCRYPTS);
  await load(edk);
  await encrypt(edk, 600);
  await encrypt(edk, 400);
  await expect(encrypt(edk, 1)).rejects.toMatchObject(missing);
  await load(edk);
  await encrypt(edk, 5000);
  await expect(encrypt(edk, 1)).rejects.toMatchObject(missing);
  await load(edk);
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
  const sealed = new Response(client.seal({ edk, context }, readable)).bytes();
  const writer = writable.getWriter();
  for (let n = 0; n < 4; n++) await writer.write(new Uint8Array(250));
  await writer.close();
  expect((await sealed).length).toBeGreaterThan(1000);
  await expect(encrypt(edk, 1)).rejects.toMatchObject(missing);
  close();
}, 60_000);

it("M15 of many at once no more get through than the limit allows", async () => {
  const custodian = await custodianOf(system, "Ada");
  const { client, load, encrypt, close } = await limited(custodian, { messages: 5 });
  const edk = await orderKey(custodian, ENCRYPTS);
  await load(edk);
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => encrypt(edk)));
  const made = outcomes.filter(({ status }) => status === "fulfilled");
  expect(made).toHaveLength(5);
  for (const outcome of outcomes)
    if (outcome.status === "rejected") expect(outcome.reason).toMatchObject(missing);
  expect(await client.has(edk)).toBe(false);
  close();
}, 60_000);

it("M10 M15 an entrusted key counts as the key that it is, in however many copies it is brought", async () => {
  const custodian = await custodianOf(system, "Ada");
  const { client, load, encrypt, close } = await limited(custodian, { messages: 2 });
  const edk = await orderKey(custodian, ENCRYPTS);
  await load(edk);
  const [first = "", second = ""] = await client.entrust([edk, edk]);
  await encrypt(first);
  await encrypt(second);
  for (const key of [first, second]) await expect(encrypt(key)).rejects.toMatchObject(missing);
  await load(edk);
  await encrypt(second);
  close();
}, 60_000);

it("M15 coffer microservice keeps to the limits of its settings, and answers key-missing", async () => {
  const [authority, custodian] = await Promise.all([makeAuthority(), custodianOf(system, "Ada")]);
  const { client, dn, options } = custodian;
  const dir = mkdtempSync(join(tmpdir(), "coffer-limits-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  for (const [part, pem] of Object.entries(await authority.issue("CN=microservice")))
    writeFileSync(join(dir, `${part}.pem`), pem, { mode: 0o600 });
  writeFileSync(join(dir, "root.pem"), rootKeyPem(options.rootKey));
  const settings = {
    ...{ place: { port: 0 }, identity: { key: "key.pem", cert: "cert.pem", ca: "ca.pem" } },
    ...{ peers: [dn], custodian: dn, vault: client.vault, origin: client.app, rootKey: "root.pem" },
    limits: { messages: 2, bytes: 100 },
  };
  const file = join(dir, "settings.json");
  writeFileSync(file, JSON.stringify(settings));
  const child = spawn(process.execPath, ["--no-warnings", "cli/coffer.js", "microservice", file], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => stop(child));
  const place = JSON.parse(await firstLine(child)) as Place;
  const service = serviceClient(place, await authority.issue(dn));
  onTestFinished(() => service.close());
  const { secretZero } = json<{ secretZero: string }>(
    await client.rest("POST", "/ra/secret-zeros", { custodian: dn }),
  );
  await callService(service, "enrol", { body: { method: "secret-zero", secretZero } });
  const key = await orderKey(custodian, ENCRYPTS);
  const encrypt = async (length: number) => {
    const body = { key, context: contextOf(custodian), data: dataOf(length) };
    const answer = await service.call("encrypt", { body });
    return answer.status === 200 ? "made" : problem(answer);
  };
  await handOver(custodian, service, key);
  expect([await encrypt(10), await encrypt(10), await encrypt(10)]).toEqual([
    "made",
    "made",
    "409 key-missing",
  ]);
  await handOver(custodian, service, key);
  expect([await encrypt(90), await encrypt(20)]).toEqual(["made", "409 key-missing"]);
}, 60_000);

it("M15 limits are whole numbers from 1", async () => {
  const { options } = await custodianOf(system, "Ada");
  for (const limits of [{ messages: 0 }, { bytes: -1 }, { messages: 1.5 }, { bytes: Number.NaN }])
    expect(() => startMicroservice({ ...options, limits })).toThrow(TypeError);
}, 60_000);
