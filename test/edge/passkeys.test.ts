/** Passkeys on the real edge, by an emulated authenticator: registered once, and shown as evidence by their user alone (M1). */

import { createHash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type AuthenticatorFault,
  EmulatedAuthenticator,
  makeAuthenticatorMaker,
} from "#emulator/enclave/index.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { enrolmentSubject } from "#protocol/evidence-binder.ts";
import { PASSKEY_EVIDENCE } from "#protocol/passkey.ts";
import { attestationAttribute, instanceTier, parseCertificate } from "#protocol/pki/index.ts";
import { auditThat } from "../support/audit.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { type EnrolmentAnswer, type Keys, makeKeys, redemption } from "../support/instance.ts";
import { readRows, useSystem } from "../system/index.ts";

const vars: Record<string, string> = { COFFER_ENROLMENTS_PER_MINUTE: "20000" };
const system = useSystem({ vars });
let ann: EdgeClient;
let bob: EdgeClient;
let keys: Keys;
/** Of the microservice that the vault starts. */
let code: Uint8Array;

beforeAll(async () => {
  [ann, bob] = [await EdgeClient.signedIn(system, "Ann"), await EdgeClient.signedIn(system, "Bob")];
  keys = await makeKeys();
  const manifest = JSON.parse(readFileSync(join(system.dir, "web/manifest.json"), "utf8")) as {
    path: string;
    sha384: string;
  }[];
  const measured = manifest.find(({ path }) => path.startsWith("vault/microservice."))!;
  code = new Uint8Array(Buffer.from(measured.sha384, "hex"));
});

const page = () => ({ vault: ann.vault, app: ann.app });
const openChallenge = async (client: EdgeClient) =>
  json<{ challenge: string; user: string; known: string[] }>(
    await client.vaultPost("/ra/passkeys/challenges", {}),
  );
const keep = (client: EdgeClient, challenge: string, made: object) =>
  client.vaultPost("/ra/passkeys", { challenge, ...made });
const list = async (client: EdgeClient) =>
  json<{ passkeys: { id: string; tier: string; synced: boolean; used?: number }[] }>(
    await client.rest("GET", "/ra/passkeys"),
  ).passkeys;

async function registered(client: EdgeClient, device = new EmulatedAuthenticator()) {
  const { challenge } = await openChallenge(client);
  const answer = await keep(client, challenge, await device.register(challenge, page()));
  expect(answer.status, answer.text).toBe(201);
  return device;
}

const custodianOf = (client: EdgeClient) =>
  (
    JSON.parse(Buffer.from(client.tokens.access_token.split(".")[1]!, "base64url").toString()) as {
      custodian: string;
    }
  ).custodian;
const spki = async ({ publicKey }: CryptoKeyPair) =>
  new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));

/** A session, and the evidence for it: `measurement` and `fault` are what is to be wrong. */
async function evidenceOf(
  client: EdgeClient,
  device: EmulatedAuthenticator,
  { fault = {}, measurement = code }: { fault?: AuthenticatorFault; measurement?: Uint8Array } = {},
) {
  const custodian = custodianOf(client);
  const opened = json<{ enrolment: string; nonce: string; accepts: string[] }>(
    await client.rest("POST", "/ra/attestations", { custodian }),
  );
  expect(opened.accepts).toContain(PASSKEY_EVIDENCE);
  const [identity, wrapping] = [await spki(keys.identity), await spki(keys.wrapping)];
  const of = { identity, wrapping, custodian, origin: client.app, vault: client.vault };
  const order = { nonce: decodeBase64url(opened.nonce), subject: await enrolmentSubject(of), measurement };
  const evidence = await device.attest(order, page(), fault);
  const attribute = attestationAttribute({ type: PASSKEY_EVIDENCE, evidence });
  const body = await redemption("", opened.nonce, keys, "attestation", [attribute]);
  // As the vault's Worker does: without the cookie.
  return (cookie = "") => client.vaultPost(`/ra/enrolments/${opened.enrolment}`, body, { cookie });
}
const enrol = async (client: EdgeClient, device: EmulatedAuthenticator, wrong = {}) =>
  (await evidenceOf(client, device, wrong))();

const instances = () => readRows(system.edgeDir, "instances").length;
const refused = (reason: string) =>
  auditThat(system, "development", (entries) => entries.some((entry) => entry.reason?.includes(reason)));

describe("M1 a passkey", () => {
  it("M1 is registered with a challenge that works once, by whom it was given to", async () => {
    const device = new EmulatedAuthenticator();
    const { challenge, known } = await openChallenge(ann);
    expect(known).toEqual([]);
    const made = await device.register(challenge, page());
    const answers = await Promise.all(Array.from({ length: 20 }, () => keep(ann, challenge, made)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(problem(await keep(ann, challenge, made))).toBe("400 invalid-grant");
    expect(await list(ann)).toEqual([
      {
        id: made.id,
        tier: "emulated",
        authenticator: expect.any(String),
        synced: false,
        registered: expect.any(Number),
        app: ann.app,
      },
    ]);
    const again = await openChallenge(ann);
    expect(again.known).toEqual([made.id]);
    const twice = await keep(ann, again.challenge, await device.register(again.challenge, page()));
    expect(problem(twice)).toBe("409 conflict");
    // Nobody else registers it in its owner's place, nor takes part in a registration.
    const foreign = await openChallenge(ann);
    expect(
      problem(await keep(bob, foreign.challenge, await device.register(foreign.challenge, page()))),
    ).toBe("400 invalid-grant");
    expect(problem(await bob.rest("DELETE", `/ra/passkeys/${made.id}`))).toBe("404 not-found");
    expect(await list(bob)).toEqual([]);
  });

  it("M1 M20 is not registered from another origin, in another page, for another challenge, or unverified", async () => {
    const before = (await list(ann)).length;
    const faults: [AuthenticatorFault, string][] = [
      [{ client: { origin: "https://evil.example" } }, "origin"],
      [{ client: { topOrigin: "https://evil.example" } }, "another page"],
      [{ client: { crossOrigin: false } }, "another page"],
      [{ client: { challenge: "A".repeat(43) } }, "challenge"],
      [{ flags: 0x04 }, "verif"],
    ];
    for (const [fault] of faults) {
      const { challenge } = await openChallenge(ann);
      const made = await new EmulatedAuthenticator().register(challenge, page(), fault);
      expect(problem(await keep(ann, challenge, made))).toBe("403 attestation-refused");
    }
    for (const [, reason] of faults) await refused(reason);
    const { challenge } = await openChallenge(ann);
    const made = await new EmulatedAuthenticator().register(challenge, page());
    const elsewhere = { challenge, ...made };
    expect(problem(await ann.vaultPost("/ra/passkeys", elsewhere, { origin: ann.app }))).toBe(
      "403 foreign-origin",
    );
    expect(problem(await ann.vaultPost("/ra/passkeys", elsewhere, { cookie: "" }))).toBe("401 no-session");
    expect(await list(ann)).toHaveLength(before);
  });

  it("M1 vouches for an instance of its user, whose certificate says so", async () => {
    const device = await registered(ann);
    const answer = await enrol(ann, device);
    expect(answer.status, answer.text).toBe(200);
    const enrolled = json<EnrolmentAnswer>(answer);
    const said = { use: "wrapping", custodian: custodianOf(ann), method: "attestation" } as const;
    expect(instanceTier(parseCertificate(decodeBase64url(enrolled.wrappingCertificate)), said)).toBe(
      "emulated",
    );
    // Of a model that nobody vouches for, or that may be copied to other devices: as much as without it.
    const plain = await registered(ann, new EmulatedAuthenticator({ model: "ab".repeat(16), synced: true }));
    const software = json<EnrolmentAnswer>(await enrol(ann, plain));
    expect(instanceTier(parseCertificate(decodeBase64url(software.wrappingCertificate)), said)).toBe(
      "software",
    );
  });

  it("M1 M20 vouches for nothing else: another user, code, page or exchange, a counter that went back, or once it is removed", async () => {
    const device = await registered(ann);
    expect((await enrol(ann, device)).status).toBe(200);
    const before = instances();
    const wrong: [Awaited<ReturnType<typeof enrol>>, string][] = [
      [await enrol(bob, device), "not registered for this user"],
      [await enrol(ann, device, { measurement: new Uint8Array(48) }), "no release that is known"],
      [
        await enrol(ann, device, { fault: { client: { topOrigin: "https://evil.example" } } }),
        "another page",
      ],
      [await enrol(ann, device, { fault: { client: { origin: "https://evil.example" } } }), "another origin"],
      [await enrol(ann, device, { fault: { client: { challenge: "A".repeat(43) } } }), "another challenge"],
      [await enrol(ann, device, { fault: { counter: 1 } }), "counter did not go on"],
      [await enrol(ann, device, { fault: { flags: 0x04 } }), "the user was not verified"],
    ];
    for (const [answer] of wrong) expect(problem(answer)).toBe("403 attestation-refused");
    for (const [, reason] of wrong) await refused(reason);
    // A session for evidence is presented without a cookie, and with nobody's.
    expect(problem(await (await evidenceOf(ann, device))(bob.cookie))).toBe("400 invalid-grant");
    expect(problem(await (await evidenceOf(ann, device))(ann.cookie))).toBe("403 foreign-custodian");
    const id = encodeBase64url(device.id);
    expect((await ann.rest("DELETE", `/ra/passkeys/${id}`)).status).toBe(204);
    const gone = await enrol(ann, device);
    expect(problem(gone)).toBe("403 attestation-refused");
    expect(instances()).toBe(before);
  });

  it("M1 M20 vouches by the policy as it is now: less once its maker's root is out of it, for nothing once a key of the maker's is revoked", async () => {
    const maker = await makeAuthenticatorMaker(new Date());
    const certificate = new X509Certificate(maker.root);
    const roots = [encodeBase64url(new Uint8Array(certificate.raw))];
    const key = certificate.publicKey.export({ type: "spki", format: "der" });
    const revoked = [createHash("sha256").update(key).digest("hex")];
    const references = [{ release: 1, measurements: { code: Buffer.from(code).toString("hex") } }];
    /** The edge with another policy, whose state is as before. */
    const restart = (more: { roots?: string[]; revoked?: string[] }) => {
      const accept = [{ type: PASSKEY_EVIDENCE, ...more }];
      vars.COFFER_ATTESTATION = JSON.stringify({ "*": { id: "urn:test", accept, references } });
      return system.restart();
    };
    const said = { use: "wrapping", custodian: custodianOf(ann), method: "attestation" } as const;
    const enrolledAs = async () => {
      const answer = await enrol(ann, device);
      expect(answer.status, answer.text).toBe(200);
      const { wrappingCertificate } = json<EnrolmentAnswer>(answer);
      return instanceTier(parseCertificate(decodeBase64url(wrappingCertificate)), said);
    };
    await restart({ roots });
    const device = await registered(ann, new EmulatedAuthenticator({ model: "ab".repeat(16), maker }));
    expect(await enrolledAs()).toBe("hardware");
    await restart({ roots: [] });
    expect(await enrolledAs()).toBe("software");
    await restart({ roots, revoked });
    expect(problem(await enrol(ann, device))).toBe("403 attestation-refused");
    const { challenge } = await openChallenge(ann);
    const another = new EmulatedAuthenticator({ model: "ab".repeat(16), maker });
    const answer = await keep(ann, challenge, await another.register(challenge, page()));
    expect(problem(answer)).toBe("403 attestation-refused");
    await restart({ roots });
    expect(await enrolledAs()).toBe("hardware");
  }, 120_000);

  it("M1 M20 of assertions with one counter, shown at once, one enrols", async () => {
    const device = await registered(ann);
    const shown = await Promise.all(
      Array.from({ length: 8 }, () => evidenceOf(ann, device, { fault: { counter: 77 } })),
    );
    const answers = await Promise.all(shown.map((show) => show()));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });
});
