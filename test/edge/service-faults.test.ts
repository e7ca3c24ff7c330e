/**
 * Faults of services around an enrolment, as the emulator's page turns them on: each unit a process of its own, the real verifier and the real registration
 * authority, and between them a worker that is down, slow, or hands on what it should not.
 */

import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { developmentPlatform, nodeMicroservice } from "#cli/attestation.ts";
import { startEdge } from "#edge/local.ts";
import {
  type Enclave,
  emulatedEnclave,
  SERVICE_FAULTS,
  type ServiceFaultName,
} from "#emulator/enclave/index.ts";
import { decodeBase64url } from "#protocol/base64url.ts";
import { attestationAttribute } from "#protocol/pki/index.ts";
import { auditThat } from "../support/audit.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { type Answer, json, problem, send } from "../support/http.ts";
import { askGrant, type Keys, makeKeys, openSession, redemption } from "../support/instance.ts";
import { startSystem } from "../support/start.ts";
import { readRows, useSystem } from "../system/index.ts";

const system = useSystem({ split: true });
let ann: EdgeClient;
let keys: Keys;
let dn: string;
let enclave: Enclave;

beforeAll(async () => {
  ann = await EdgeClient.signedIn(system, "Ann");
  keys = await makeKeys();
  const [, claims = ""] = ann.tokens.access_token.split(".");
  dn = (JSON.parse(Buffer.from(claims, "base64url").toString()) as { custodian: string }).custodian;
  const [platform, code] = await Promise.all([developmentPlatform(system.dir), nodeMicroservice(system.dir)]);
  enclave = emulatedEnclave(platform, code, { vault: ann.vault });
});
beforeEach(() => system.running.faults?.turn(null));

const turn = (name: ServiceFaultName | null) =>
  system.running.faults!.turn(name === null ? null : `service/${name}`);
const instances = () => readRows(system.edgeDir, "instances").length;
const requestOf = ({ text }: Answer) =>
  /:([^:]+)$/.exec((JSON.parse(text) as { instance: string }).instance)![1]!;
const spki = async ({ publicKey }: CryptoKeyPair) =>
  new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));

/** A session and evidence, before anything is wrong; what is shown then, as often as it is called. */
async function byEvidence(from = enclave): Promise<() => Promise<Answer>> {
  type Opened = { enrolment: string; nonce: string; accepts: string[] };
  const opened = json<Opened>(await ann.rest("POST", "/ra/attestations", { custodian: dn }));
  const [identity, wrapping] = [await spki(keys.identity), await spki(keys.wrapping)];
  const nonce = decodeBase64url(opened.nonce);
  const of = { nonce, accepts: opened.accepts, identity, wrapping, custodian: dn, origin: ann.app };
  const evidence = [attestationAttribute(await from.attest(of))];
  const body = await redemption("", opened.nonce, keys, "attestation", evidence);
  return () => bare(`/ra/enrolments/${opened.enrolment}`, body);
}

async function bySecretZero(): Promise<() => Promise<Answer>> {
  const { secretZero } = json<{ secretZero: string }>(
    await ann.rest("POST", "/ra/secret-zeros", { custodian: dn }),
  );
  const principal = /^CN=(\w+)/.exec(dn)![1]!;
  const session = json<{ id: string; nonce: string }>(await bare("/ra/enrolments", { principal }));
  const body = await redemption(secretZero, session.nonce, keys, "secret-zero");
  return () => bare(`/ra/enrolments/${session.id}`, body);
}

async function byGrant(): Promise<() => Promise<Answer>> {
  const grant = await askGrant(ann);
  const session = await openSession(ann);
  const body = await redemption(grant, session.nonce, keys);
  return () => ann.vaultPost(`/ra/enrolments/${session.id}`, body);
}

/** A process that has no cookie. */
const bare = (path: string, body: object) =>
  send(ann.vault + path, {
    method: "POST",
    headers: { "content-type": "application/json", origin: ann.vault },
    body: JSON.stringify(body),
  });

/** Refused with this code, and in the audit log with the reason that the page tells; nothing is left, and without the fault the same enrols. */
async function refused(
  name: ServiceFaultName,
  {
    begin,
    code,
    action,
    reason,
  }: { begin: () => Promise<() => Promise<Answer>>; code: string; action: string; reason: string },
) {
  const before = instances();
  const present = await begin();
  turn(name);
  const answer = await present();
  expect(problem(answer)).toBe(code);
  expect(answer.text, "what is wrong is for the log alone").not.toContain(reason);
  const requestId = requestOf(answer);
  const { entries } = await auditThat(system, "development", (all) =>
    all.some((entry) => entry.requestId === requestId && entry.action === action && entry.outcome === "deny"),
  );
  const [denied] = entries.filter((entry) => entry.requestId === requestId && entry.outcome === "deny");
  expect(denied?.reason).toContain(reason);
  expect(instances(), "no certificate").toBe(before);
  turn(null);
  expect((await present()).status, "used up").toBe(400);
  expect((await (await begin())()).status, "without the fault").toBe(200);
  expect(instances()).toBe(before + 1);
}

describe("M1 M20 the verifier", () => {
  it.each<[ServiceFaultName, string]>([
    ["verifier-down", "503 verifier-unavailable"],
    ["verifier-slow", "503 verifier-unavailable"],
    ["result-wrongly-signed", "503 verifier-unavailable"],
    ["evidence-altered", "403 attestation-refused"],
  ])("M1 M20 with %s nobody enrols", async (name, code) => {
    const reason = SERVICE_FAULTS[name].refused as string;
    await refused(name, { begin: () => byEvidence(), code, action: "ra:certify", reason });
  });

  it("M1 M20 with result-replayed, the result of an enrolment that was good, nobody enrols", async () => {
    expect((await (await byEvidence())()).status).toBe(200);
    const reason = SERVICE_FAULTS["result-replayed"].refused;
    const of = { begin: () => byEvidence(), code: "503 verifier-unavailable", action: "ra:certify", reason };
    await refused("result-replayed", of);
  });

  it("M1 with verifier-down no session is opened", async () => {
    turn("verifier-down");
    expect(problem(await ann.rest("POST", "/ra/attestations", { custodian: dn }))).toBe(
      "503 verifier-unavailable",
    );
  });
});

it("M1 M20 M21 the microservice that was built, with one byte changed, gets no certificate", async () => {
  const [platform, code] = await Promise.all([developmentPlatform(system.dir), nodeMicroservice(system.dir)]);
  const before = instances();
  for (const at of [0, code.length >> 1, code.length - 1]) {
    const changed = new Uint8Array(code);
    changed[at]! ^= 1;
    const answer = await (await byEvidence(emulatedEnclave(platform, changed, { vault: ann.vault })))();
    expect(problem(answer), `byte ${at}`).toBe("403 attestation-refused");
  }
  expect(instances()).toBe(before);
  expect((await (await byEvidence())()).status, "as it was built").toBe(200);
});

describe("M2 M3 M20 credential-spent", () => {
  it.each([
    ["M3", byGrant, SERVICE_FAULTS["credential-spent"].refused[0]],
    ["M2", bySecretZero, SERVICE_FAULTS["credential-spent"].refused[1]],
  ] as const)("%s M20 what somebody else has used up enrols nobody", async (_, begin, reason) => {
    await refused("credential-spent", { begin, code: "400 invalid-grant", action: "ra:redeem", reason });
  });
});

it("Promise 5: the edge takes nothing between its domains in production", async () => {
  const doors = { scripts: { RA: "", VERIFIER: "" }, url: "http://127.0.0.1:1/fault" };
  const options = { doors, vars: { COFFER_ENVIRONMENT: "production" }, hsm: { url: "https://127.0.0.1:1" } };
  await expect(startEdge({ ...options, tenants: {} } as never)).rejects.toThrow("for development");
});

it("Promise 5: in production there is no page of faults, and nothing between the domains", async () => {
  const production = await startSystem({ vars: { COFFER_ENVIRONMENT: "production" } });
  try {
    expect(production.running.faults).toBeNull();
  } finally {
    await production.close();
  }
});
