/** M12: policies by the registers that attestation verified, for microservices that `coffer launch` starts in the enclave emulator. */

import { createHash, X509Certificate } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { developmentPlatform } from "#cli/attestation.ts";
import { writeDeployment } from "#cli/deployment.ts";
import { emulatedEnclave, type Platform } from "#emulator/enclave/index.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { concat, utf8 } from "#protocol/bytes.ts";
import { EMULATED_EVIDENCE } from "#protocol/evidence/index.ts";
import { attestationAttribute } from "#protocol/pki/index.ts";
import { run } from "../cli/command.ts";
import { auditThat } from "../support/audit.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { type EnrolmentAnswer, enrol, makeKeys, redemption, renewalOf } from "../support/instance.ts";
import { changeRows, readRows, useSystem } from "../system/index.ts";

type Named = "one" | "other";
const vars: Record<string, string> = { COFFER_INSTANCE_SECONDS: "3600" };
const system = useSystem({ vars });
let platform: Platform;
/** The microservice as it was built, and with other bytes. */
let code: Record<Named, Uint8Array<ArrayBuffer>>;
let measured: Record<Named, string>;
let ann: EdgeClient;
let edk: string;

const digest = (of: Uint8Array) => createHash("sha384").update(of).digest("hex");
const built = () => join(system.dir, "web/node/microservice.js");
const create = { effect: "allow", principals: "*", actions: ["create"], resources: "*" };
const use = { actions: ["encrypt", "decrypt"], resources: "*" };
const only = () => ({
  statements: [create, { effect: "allow", principals: [{ registers: { 0: measured.one } }], ...use }],
});

beforeAll(async () => {
  platform = await developmentPlatform(system.dir);
  const file = new Uint8Array(await readFile(built()));
  code = { one: file, other: concat(file, utf8("// another release\n")) };
  measured = { one: digest(code.one), other: digest(code.other) };
  const roots = [encodeBase64url(new X509Certificate(platform.root).raw)];
  const references = [measured.one, measured.other].map((of) => ({ release: 1, measurements: { code: of } }));
  const accept = [{ type: EMULATED_EVIDENCE.eat, roots }];
  vars.COFFER_ATTESTATION = JSON.stringify({ "*": { id: "urn:test", accept, references } });
  vars.COFFER_POLICIES = JSON.stringify({ "*": only() });
  await system.restart();
  const { appOrigin: app, vaultOrigin: vault } = system;
  await writeDeployment(system.dir, { app, vault, rootKey: system.running.rootKey });
  ann = await EdgeClient.signedIn(system, "ann");
  const order = { account: ann.account, count: 1, purpose: "document" };
  [edk = ""] = json<{ edks: string[] }>(await ann.rest("POST", "/kms/data-keys", order)).edks;
}, 60_000);

/** Has `coffer launch` start that code in an enclave; the certificate of what enrolled. */
async function launched(of: Named): Promise<string> {
  await writeFile(built(), code[of]);
  try {
    const args = ["--method", "attestation", "--once", "--json"];
    const { stdout, stderr } = await run(
      ["launch", "--dir", system.dir, "--user", "ann", ...args],
      system.dir,
    );
    expect(stderr).toBe("");
    const said = JSON.parse(stdout) as Record<string, string>;
    const base64 = Buffer.from(measured[of], "hex").toString("base64");
    expect(said).toMatchObject({ tier: "emulated", measurement: `sha384-${base64}` });
    return said.certificate!;
  } finally {
    await writeFile(built(), code.one);
  }
}
const load = (certificate: string) => ann.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate });

/** The same enclave, with keys that the test has. */
async function attested(of: Named) {
  const keys = await makeKeys();
  const spki = async ({ publicKey }: CryptoKeyPair) =>
    new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));
  const { dn: custodian } = ann.tokens.custodian;
  const opened = json<{ enrolment: string; nonce: string; accepts: string[] }>(
    await ann.rest("POST", "/ra/attestations", { custodian }),
  );
  const asked = {
    ...{ nonce: decodeBase64url(opened.nonce), accepts: opened.accepts, custodian, origin: ann.app },
    ...{ identity: await spki(keys.identity), wrapping: await spki(keys.wrapping) },
  };
  const enclave = emulatedEnclave(platform, code[of], { vault: ann.vault });
  const attributes = [attestationAttribute(await enclave.attest(asked))];
  const body = await redemption("", opened.nonce, keys, "attestation", attributes);
  const answer = await ann.vaultPost(`/ra/enrolments/${opened.enrolment}`, body, { cookie: "" });
  return { keys, enrolled: json<EnrolmentAnswer>(answer) };
}

it("M12 only an instance whose register 0 is that one is given a key: coffer launch with two measurements, and one without evidence", async () => {
  expect((await load(await launched("one"))).status).toBe(200);
  expect(problem(await load(await launched("other")))).toBe("403 forbidden");
  const software = json<EnrolmentAnswer>(await enrol(ann, await makeKeys()));
  expect(problem(await load(software.wrappingCertificate))).toBe("403 forbidden");
  await auditThat(system, "development", (entries) =>
    entries.some(({ action, reason }) => action === "kms:rewrap" && reason?.includes("principals")),
  );
  // What was verified is kept with the instance, and nothing where nothing was.
  const kept = new Map(readRows(system.edgeDir, "instances").map((row) => [row.id, row.registers]));
  expect([...kept.values()]).toContain(JSON.stringify({ 0: measured.other }));
  expect(kept.get(software.instance)).toBeNull();
}, 120_000);

it("M12 M20 a renewal carries the registers over, and makes them no better", async () => {
  for (const [of, answer] of [
    ["one", "200 undefined"],
    ["other", "403 forbidden"],
  ] as const) {
    const { keys, enrolled } = await attested(of);
    expect(problem(await load(enrolled.wrappingCertificate))).toBe(answer);
    // What runs on the machine is other code by then: a renewal shows no evidence of it.
    const older = `UPDATE instances SET enrolled = enrolled - 4000 WHERE id = '${enrolled.instance}'`;
    await system.restart(() => void changeRows(system.edgeDir, "instances", older));
    const renewed = await ann.vaultPost("/ra/renewals", await renewalOf(enrolled, keys), { cookie: "" });
    expect(renewed.status, renewed.text).toBe(200);
    const { instance, wrappingCertificate } = json<EnrolmentAnswer>(renewed);
    expect(instance).not.toBe(enrolled.instance);
    expect(problem(await load(wrappingCertificate))).toBe(answer);
    const [row] = readRows(system.edgeDir, "instances").filter(({ id }) => id === instance);
    expect(row).toMatchObject({ registers: JSON.stringify({ 0: measured[of] }), tier: "emulated" });
  }
}, 120_000);

it("M12 a deny by registers holds for that measurement, and for whoever has shown none", async () => {
  const all = { effect: "allow", principals: "*", actions: "*", resources: "*" };
  const deny = { effect: "deny", principals: [{ registers: { 0: measured.other } }], ...use };
  vars.COFFER_POLICIES = JSON.stringify({ "*": { statements: [all, deny] } });
  await system.restart();
  expect((await load((await attested("one")).enrolled.wrappingCertificate)).status).toBe(200);
  expect(problem(await load((await attested("other")).enrolled.wrappingCertificate))).toBe("403 forbidden");
  const software = json<EnrolmentAnswer>(await enrol(ann, await makeKeys()));
  expect(problem(await load(software.wrappingCertificate))).toBe("403 forbidden");
  // By a register that nobody showed, or by another hash, nobody is known to be another.
  for (const registers of [{ 1: measured.other }, { 0: measured.other.slice(0, 64) }]) {
    const statements = [all, { ...deny, principals: [{ registers }] }];
    vars.COFFER_POLICIES = JSON.stringify({ "*": { statements } });
    await system.restart();
    expect(problem(await load((await attested("one")).enrolled.wrappingCertificate))).toBe("403 forbidden");
  }
}, 120_000);

it("M12 coffer policy test explains what registers decide", async () => {
  const file = join(system.dir, "policy.json");
  await writeFile(file, JSON.stringify(only()));
  const asked = ["--principal", ann.tokens.custodian.dn, "--action", "decrypt"];
  const test = (...more: string[]) =>
    run(
      ["policy", "test", file, ...asked, "--resource", `accounts/${ann.account}/keys/k1`, ...more],
      system.dir,
    );
  expect(await test("--register", `0=${measured.one}`)).toMatchObject({ code: 0 });
  const denied = await test("--register", `0=${measured.other}`);
  expect(denied.code).toBe(3);
  expect(denied.stdout).toContain("principals no");
  const unknown = await test();
  expect(unknown.code).toBe(3);
  expect(unknown.stdout).toContain("principals unknown");
});
