/** M1 on the real edge: a deployer's session, evidence of emulated platforms, and all that can be wrong with it. */

import { X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import {
  CREDENTIAL_FAULTS,
  CREDENTIAL_FAULTS_SAID,
  type CredentialFault,
  type CredentialFaultName,
  type Enclave,
  type EnclaveQuestion,
  EVIDENCE_FAULTS,
  EVIDENCE_FAULTS_SAID,
  type EvidenceFaultName,
  emulatedCredentialEnclave,
  emulatedEnclave,
  emulatedNitroEnclave,
  makeNitroAuthority,
  makePlatform,
  NITRO_FAULTS,
  NITRO_FAULTS_SAID,
  type NitroFault,
  type NitroFaultName,
  OLDER_RELEASE,
  PLATFORM_VERSION,
  type PlatformKey,
  registersOf,
  revokedKeyOf,
} from "#emulator/enclave/index.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { EMULATED_EVIDENCE } from "#protocol/evidence/index.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import { attestationAttribute, instanceTier, parseCertificate } from "#protocol/pki/index.ts";
import { auditThat } from "../support/audit.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem, send } from "../support/http.ts";
import { type EnrolmentAnswer, type Keys, makeKeys, redemption } from "../support/instance.ts";
import { kmsOperations, readRows, useSystem } from "../system/index.ts";

const now = new Date();
const [platform, stranger, authority] = await Promise.all([
  makePlatform(now),
  makePlatform(now),
  makeNitroAuthority(now),
]);
const [CODE, OLDER] = [utf8("release 2"), utf8("release 1")];
const measured = (code: Uint8Array) => emulatedEnclave(platform, code, { vault: "" }).measurement;
const eatRoot = new Uint8Array(new X509Certificate(platform.root).raw);
const verifier = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]);
const jwk = async (key: CryptoKey) => {
  const { kty, crv, x, y, d } = await crypto.subtle.exportKey("jwk", key);
  return JSON.stringify({ kty, crv, x, y, ...(d && { d }) });
};
const spkiOf = (of: { certificate: string }) =>
  new Uint8Array(new X509Certificate(of.certificate).publicKey.export({ type: "spki", format: "der" }));
/** Secrets of two platforms, of which the policy takes one. */
const [assigned, unnamed] = ["machine-7", "machine-8"].map((name) => {
  return { name, secret: crypto.getRandomValues(new Uint8Array(32)) };
}) as [PlatformKey, PlatformKey];
const minVersion = PLATFORM_VERSION;
const policy = {
  id: "urn:test:policy",
  floor: 2,
  accept: [
    {
      type: EMULATED_EVIDENCE.eat,
      roots: [encodeBase64url(eatRoot)],
      minVersion,
      revoked: [revokedKeyOf(platform)],
    },
    { type: EMULATED_EVIDENCE.nitro, roots: [encodeBase64url(authority.root)] },
    { type: EMULATED_EVIDENCE.signed, keys: [encodeBase64url(spkiOf(platform))], minVersion },
    { type: EMULATED_EVIDENCE.encrypted, platforms: [assigned.name], minVersion },
  ],
  references: [
    ...[measured(OLDER), OLDER_RELEASE].map((code) => ({ release: 1, measurements: { code } })),
    { release: 2, measurements: { code: measured(CODE) } },
    // A Nitro enclave's register 0 is not the bare digest.
    { release: 2, measurements: registersOf(CODE) },
  ],
};

const vars = {
  COFFER_ENROLMENTS_PER_MINUTE: "20000",
  COFFER_ATTESTATION: JSON.stringify({ "*": policy }),
  COFFER_VERIFIER_KEY: await jwk(verifier.privateKey),
  COFFER_PLATFORM_KEYS: JSON.stringify(
    Object.fromEntries([assigned, unnamed].map(({ name, secret }) => [name, encodeBase64url(secret)])),
  ),
  COFFER_VERIFIER_PUBLIC_KEY: await jwk(verifier.publicKey),
};
const system = useSystem({ vars });
let ann: EdgeClient;
let keys: Keys;
let dn: string;

beforeAll(async () => {
  ann = await EdgeClient.signedIn(system, "Ann");
  keys = await makeKeys();
  const [, claims = ""] = ann.tokens.access_token.split(".");
  dn = (JSON.parse(Buffer.from(claims, "base64url").toString()) as { custodian: string }).custodian;
});

type Opened = { enrolment: string; nonce: string; accepts: string[] };
const open = async (custodian = dn) =>
  json<Opened>(await ann.rest("POST", "/ra/attestations", { custodian }));
const spki = async ({ publicKey }: CryptoKeyPair) =>
  new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));

async function questionOf({ nonce, accepts }: Opened, of: Keys): Promise<EnclaveQuestion> {
  const [identity, wrapping] = [await spki(of.identity), await spki(of.wrapping)];
  return { nonce: decodeBase64url(nonce), accepts, identity, wrapping, custodian: dn, origin: ann.app };
}

const present = async (
  opened: Opened,
  evidence: { type: string; evidence: Uint8Array<ArrayBuffer> }[],
  with_ = keys,
  credential = "",
) => {
  const attributes = evidence.map(attestationAttribute);
  const body = await redemption(credential, opened.nonce, with_, "attestation", attributes);
  return send(`${ann.vault}/ra/enrolments/${opened.enrolment}`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: ann.vault },
    body: JSON.stringify(body),
  });
};

/** The whole ceremony with what an enclave says; the answer, and the evidence that was shown. */
async function enrolWith(enclave: Enclave, change: Partial<EnclaveQuestion> = {}) {
  const opened = await open();
  const asked = await questionOf(opened, keys);
  const evidence = await enclave.attest({ ...asked, ...change });
  return { answer: await present(opened, [evidence]), evidence, asked };
}
const eat = (code = CODE, fault = {}) => emulatedEnclave(platform, code, { vault: ann.vault }, fault);

const instances = () => readRows(system.edgeDir, "instances").length;
const reasons = async (reason: string) =>
  auditThat(system, "development", (entries) =>
    entries.some((entry) => entry.action === "ra:certify" && entry.reason?.includes(reason)),
  );

describe("M1 initialization by attestation", () => {
  it("M1 evidence of an accepted release enrols, without a cookie, and the certificate says so", async () => {
    const { answer } = await enrolWith(eat());
    expect(answer.status, answer.text).toBe(200);
    const enrolled = json<EnrolmentAnswer>(answer);
    expect(enrolled).toMatchObject({ method: "attestation", custodian: dn, origin: ann.app });
    const certificate = parseCertificate(decodeBase64url(enrolled.wrappingCertificate));
    const said = { use: "wrapping", custodian: dn, method: "attestation" } as const;
    expect(instanceTier(certificate, said)).toBe("emulated");
    const nitro = await emulatedNitroEnclave(authority, CODE, { vault: ann.vault });
    const second = (await enrolWith(nitro)).answer;
    expect(second.status, second.text).toBe(200);
  });

  it("M1 M20 is refused for other code, an older release, and a platform that nobody vouches for, or that is out of date", async () => {
    const before = instances();
    const other = await enrolWith(eat(utf8("anything")));
    expect(problem(other.answer)).toBe("403 attestation-refused");
    const older = await enrolWith(eat(OLDER));
    expect(problem(older.answer)).toBe("403 attestation-refused");
    const foreign = await enrolWith(emulatedEnclave(stranger, CODE, { vault: ann.vault }));
    expect(problem(foreign.answer)).toBe("403 attestation-refused");
    const outOfDate = await enrolWith(eat(CODE, EVIDENCE_FAULTS["platform-out-of-date"]));
    expect(problem(outOfDate.answer)).toBe("403 attestation-refused");
    expect(outOfDate.answer.text).not.toContain("version");
    expect(other.answer.text, "what is wrong is for the log alone").not.toContain("release");
    await reasons("what runs is no release that is known here");
    await reasons("release 1 is older than 2");
    await reasons("the platform key is not under a root");
    await reasons("the platform is out of date: version 1.9, and 2.0 is the oldest that is taken");
    expect(instances()).toBe(before);
  });

  it.each([
    ["another key", { identity: new Uint8Array(91) }],
    ["another wrapping key", { wrapping: new Uint8Array(91) }],
    ["another custodian", { custodian: "CN=mallory,OU=https://evil.example,O=development" }],
    ["another app", { origin: "https://evil.example" }],
  ])("M1 M13 M20 evidence for %s is refused", async (_, change) => {
    const before = instances();
    expect(problem((await enrolWith(eat(), change)).answer)).toBe("403 attestation-refused");
    expect(instances()).toBe(before);
    await reasons("evidence of another client");
  });

  it("M1 M20 evidence for another vault, and over another session's nonce, is refused", async () => {
    const elsewhere = eat(CODE, EVIDENCE_FAULTS["vault-other"]);
    expect(problem((await enrolWith(elsewhere)).answer)).toBe("403 attestation-refused");
    const nonce = decodeBase64url((await open()).nonce);
    expect(problem((await enrolWith(eat(), { nonce })).answer)).toBe("403 attestation-refused");
    await reasons("another nonce");
  });

  it("M1 M20 a session works once, with one piece of evidence, and with the keys that were attested", async () => {
    const opened = await open();
    const evidence = await eat().attest(await questionOf(opened, keys));
    const swapped = await makeKeys(keys.wrapping);
    expect(problem(await present(opened, [evidence], swapped))).toBe("403 attestation-refused");
    expect(problem(await present(opened, [evidence])), "used up").toBe("400 invalid-grant");
    const second = await open();
    const again = await eat().attest(await questionOf(second, keys));
    expect(problem(await present(second, [again, again]))).toBe("400 invalid-certificate");
    expect(problem(await present(await open(), []))).toBe("403 attestation-refused");
    await reasons("the request has no evidence in it");
    const third = await open();
    expect(problem(await present(third, [again], keys, "something"))).toBe("400 bad-request");
  });

  it("M1 a deployer opens it for its own custodian alone", async () => {
    const bob = await EdgeClient.signedIn(system, "Bob");
    expect(problem(await bob.rest("POST", "/ra/attestations", { custodian: dn }))).toBe(
      "403 foreign-custodian",
    );
  });

  it("M1 at once, one session gives one certificate", async () => {
    const opened = await open();
    const evidence = await eat().attest(await questionOf(opened, keys));
    const before = instances();
    const answers = await Promise.all(Array.from({ length: 50 }, () => present(opened, [evidence])));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(instances()).toBe(before + 1);
  });
});

type Refusal = { requestId: string; reason: string };

/** Refused outside alike; inside it has to be with the reason that the emulator tells of the fault. */
async function refused(enclave: Enclave, reason: string): Promise<Refusal> {
  const { answer } = await enrolWith(enclave);
  expect(problem(answer)).toBe("403 attestation-refused");
  const told = JSON.parse(answer.text) as { instance: string };
  expect(Object.keys(told).sort()).toEqual(["code", "instance", "status", "title", "type"]);
  const requestId = told.instance.slice(told.instance.lastIndexOf(":") + 1);
  return { requestId, reason: `evidence, by urn:test:policy: ${reason}` };
}

/** How often the registration authority has had the HSM do more than read. */
const changesAtHsm = async () =>
  (await kmsOperations(system, IDENTITY.ra)).filter((name) => !/^(Get|Locate|Query)/.test(name)).length;

/** What is tried is refused each time, with a row of its own in the audit, and leaves nothing else but its session, which is used up. */
async function leaveNothing(attempts: readonly (() => Promise<Refusal>)[]): Promise<void> {
  const before = instances();
  const waiting = () => readRows(system.edgeDir, "attestations").filter(({ used }) => used === null).length;
  const opened = waiting();
  const changes = await changesAtHsm();
  const refusals: Refusal[] = [];
  for (const attempt of attempts) refusals.push(await attempt());
  expect(instances()).toBe(before);
  expect(await changesAtHsm(), "nothing was signed or registered").toBe(changes);
  await expect.poll(() => readRows(system.edgeDir, "hsm_batches"), { timeout: 10_000 }).toEqual([]);
  expect(waiting(), "each session was used up").toBe(opened);
  const { entries } = await auditThat(system, "development", (all) =>
    refusals.every(({ requestId }) =>
      all.some((entry) => entry.requestId === requestId && entry.action === "ra:certify"),
    ),
  );
  for (const { requestId, reason } of refusals)
    expect(entries.filter((entry) => entry.requestId === requestId)).toMatchObject([
      { action: "ra:redeem", outcome: "allow" },
      {
        ...{ action: "ra:certify", outcome: "deny", code: "attestation-refused" },
        reason: expect.stringContaining(reason),
      },
    ]);
}

describe("M1 M20 faults of evidence", () => {
  it("M1 M20 each fault of an EAT is refused, recorded with its reason, and leaves nothing", async () => {
    const names = Object.keys(EVIDENCE_FAULTS) as EvidenceFaultName[];
    await leaveNothing(
      names.map(
        (name) => () => refused(eat(CODE, EVIDENCE_FAULTS[name]), EVIDENCE_FAULTS_SAID[name].refused),
      ),
    );
    expect((await enrolWith(eat())).answer.status, "without a fault").toBe(200);
  });

  it("M1 M20 each fault of a Nitro document is refused, recorded with its reason, and leaves nothing", async () => {
    const nitro = (fault?: NitroFault) =>
      emulatedNitroEnclave(authority, CODE, { vault: ann.vault }, fault ?? {});
    const names = Object.keys(NITRO_FAULTS) as NitroFaultName[];
    await leaveNothing(
      names.map(
        (name) => async () => refused(await nitro(NITRO_FAULTS[name]), NITRO_FAULTS_SAID[name].refused),
      ),
    );
    expect((await enrolWith(await nitro())).answer.status, "without a fault").toBe(200);
  });

  it("M1 M20 each fault of a credential is refused, recorded with its reason, and leaves nothing", async () => {
    const names = Object.keys(CREDENTIAL_FAULTS) as CredentialFaultName[];
    const faults = [platform, assigned].flatMap((by, variant) =>
      names.map((name) => {
        const reason = [CREDENTIAL_FAULTS_SAID[name].refused].flat().at(variant);
        const reasonOf = reason ?? (CREDENTIAL_FAULTS_SAID[name].refused as string);
        return () => refused(credential(by, CREDENTIAL_FAULTS[name]), reasonOf);
      }),
    );
    await leaveNothing(faults);
    expect((await enrolWith(credential(assigned))).answer.status, "without a fault").toBe(200);
  });
});

const credential = (by: { key: string } | PlatformKey, fault: CredentialFault = {}, code = CODE) =>
  emulatedCredentialEnclave(by, code, { vault: ann.vault }, fault);

describe("M1 a credential in place of evidence", () => {
  it.each([
    ["signed by", platform],
    ["encrypted under", assigned],
  ])("M1 one that is %s the platform's key enrols, and the certificate says so", async (_, by) => {
    const { answer } = await enrolWith(credential(by));
    expect(answer.status, answer.text).toBe(200);
    const enrolled = json<EnrolmentAnswer>(answer);
    const certificate = parseCertificate(decodeBase64url(enrolled.identityCertificate));
    const said = { use: "identity", custodian: dn, method: "attestation" } as const;
    expect(instanceTier(certificate, said)).toBe("emulated");
  });

  it("M1 M20 of another platform, of other code, of another exchange, or shown again, it is refused", async () => {
    const before = instances();
    const wrong = [
      credential(stranger),
      credential({ ...assigned, secret: new Uint8Array(32) }),
      // The verifier has it, and this tenant's policy does not name it.
      credential(unnamed),
      credential(platform, {}, utf8("anything")),
      credential(assigned, {}, OLDER),
    ];
    for (const enclave of wrong)
      expect(problem((await enrolWith(enclave)).answer)).toBe("403 attestation-refused");
    for (const by of [platform, assigned]) {
      const { evidence } = await enrolWith(credential(by));
      expect(problem(await present(await open(), [evidence]))).toBe("403 attestation-refused");
    }
    expect(instances()).toBe(before + 2);
    await reasons("the credential is of no registered key");
    await reasons("the credential was not encrypted under that key");
    await reasons("another nonce");
  });
});

describe("M1 M20 a verifier that cannot be believed", () => {
  const stranger = crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]);
  it.each([
    ["whose results another key has signed", async () => jwk((await stranger).privateKey), "signature"],
    ["that is away once the session is open", async () => "", "it appraises nothing"],
  ])("M1 M20 one %s enrols nothing, and what is shown is used up", async (_, key, reason) => {
    const good = vars.COFFER_VERIFIER_KEY;
    const opened = await open();
    const evidence = await eat().attest(await questionOf(opened, keys));
    vars.COFFER_VERIFIER_KEY = await key();
    await system.restart();
    const before = instances();
    expect(problem(await present(opened, [evidence]))).toBe("503 verifier-unavailable");
    await reasons(reason);
    expect(instances()).toBe(before);
    vars.COFFER_VERIFIER_KEY = good;
    await system.restart();
    expect(problem(await present(opened, [evidence])), "used up").toBe("400 invalid-grant");
    expect((await enrolWith(eat())).answer.status, "the verifier is itself again").toBe(200);
  });
});
