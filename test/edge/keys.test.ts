import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Engine } from "#emulator/hsm/server/engine.ts";
import { tlsTransport } from "#kmip-node/index.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import { jwsParts } from "#protocol/jws.ts";
import { type Edk, type TrustList, verifyEdk, verifyReceipt } from "#protocol/keys/index.ts";
import { createKmipClient } from "#protocol/kmip/index.ts";
import { parseCertificate, verifyChain } from "#protocol/pki/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import {
  askGrant,
  type EnrolmentAnswer,
  enrol,
  type Keys,
  makeKeys,
  openSession,
  redemption,
  trustOf,
} from "../support/instance.ts";
import { useSystem, watchKeys } from "../system/index.ts";

const { subtle } = globalThis.crypto;
const watch = watchKeys();
const system = useSystem({ otherApps: ["other"], vars: { COFFER_DATA_KEYS_PER_HOUR: "64" } });
let ann: EdgeClient;
let bob: EdgeClient;
let keys: Keys;
let instance: EnrolmentAnswer;
let bobs: EnrolmentAnswer;
let trust: TrustList;
const now = () => seconds(Date.now());
const claims = (edk: string): Edk => JSON.parse(Buffer.from(jwsParts(edk).payload).toString());

beforeAll(async () => {
  [ann, bob] = await Promise.all([EdgeClient.signedIn(system, "Ann"), EdgeClient.signedIn(system, "Bob")]);
  keys = await makeKeys();
  instance = json<EnrolmentAnswer>(await enrol(ann, keys));
  bobs = json<EnrolmentAnswer>(await enrol(bob, await makeKeys()));
  trust = await trustOf({ enrolled: instance });
});
afterAll(async () => {
  watch.stop();
});

async function newEdk(client = ann): Promise<string> {
  const answer = await client.rest("POST", "/kms/data-keys", {
    account: client.account,
    count: 1,
    purpose: "document",
  });
  return json<{ edks: string[] }>(answer).edks[0]!;
}
/** A small document, uploaded whole. */
async function sealed(client: EdgeClient): Promise<string> {
  const { id } = json<{ id: string }>(await client.rest("POST", client.documents, {}));
  const part = json(await client.rest("PUT", `${client.documents}/${id}/parts/1`, new Uint8Array(9)));
  await client.rest("PUT", `${client.documents}/${id}/metadata`, new Uint8Array(9));
  const done = await client.rest("POST", `${client.documents}/${id}/complete`, { parts: [part], size: 9 });
  expect(done.status).toBe(200);
  return id;
}
/** Holds the HSM's answers to the KMS's batches back until `release`. */
function holdWrapping() {
  const { serve } = Engine.prototype;
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = () => {
      Engine.prototype.serve = serve;
      resolve();
    };
  });
  const reached = new Promise<void>((resolve) => {
    Engine.prototype.serve = async function (bytes, origin) {
      const answer = await serve.call(this, bytes, origin);
      // What such a batch makes has names of its own.
      if (!Buffer.from(bytes).includes("kms/")) return answer;
      resolve();
      await released;
      return answer;
    };
  });
  return { reached, release };
}
const rewrap = (client: EdgeClient, edk: string, certificate: string) =>
  client.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate });

describe("enrolment by grant", () => {
  it("M3 gives certificates that lead to the root, bound to this custodian and origin", async () => {
    expect(instance).toMatchObject({ custodian: ann.tokens.custodian.dn, origin: system.appOrigin });
    const chain = instance.chain.map((der) => parseCertificate(decodeBase64url(der)));
    for (const leaf of [instance.identityCertificate, instance.wrappingCertificate]) {
      await verifyChain(
        subtle,
        [parseCertificate(decodeBase64url(leaf)), ...chain],
        chain[1]!.spki,
        Date.now(),
      );
    }
    const identity = new Uint8Array(await subtle.exportKey("spki", keys.identity.publicKey));
    expect(parseCertificate(decodeBase64url(instance.identityCertificate)).spki).toEqual(identity);
    expect(instance.notAfter - now()).toBeLessThanOrEqual(24 * 3600);
  });

  it("M20 a grant works once, a session works once", async () => {
    const grant = await askGrant(ann);
    const [first, second, third] = await Promise.all([openSession(ann), openSession(ann), openSession(ann)]);
    const at = (id: string) => `/ra/enrolments/${id}`;
    expect((await ann.vaultPost(at(first.id), await redemption(grant, first.nonce, keys))).status).toBe(200);
    expect(problem(await ann.vaultPost(at(second.id), await redemption(grant, second.nonce, keys)))).toBe(
      "400 invalid-grant",
    );
    // The session was consumed together with the attempt.
    const fresh = await askGrant(ann);
    expect(problem(await ann.vaultPost(at(second.id), await redemption(fresh, second.nonce, keys)))).toBe(
      "400 invalid-grant",
    );
    // And the grant with it.
    expect(problem(await ann.vaultPost(at(third.id), await redemption(fresh, third.nonce, keys)))).toBe(
      "400 invalid-grant",
    );
  });

  it("M13 refuses another user's cookie, another origin, no cookie", async () => {
    const grant = await askGrant(ann);
    const session = await openSession(bob);
    const body = await redemption(grant, session.nonce, keys);
    expect(problem(await bob.vaultPost(`/ra/enrolments/${session.id}`, body))).toBe("403 foreign-custodian");
    // It was in wrong hands, and is good for nothing any more.
    const own = await openSession(ann);
    const again = await redemption(grant, own.nonce, keys);
    expect(problem(await ann.vaultPost(`/ra/enrolments/${own.id}`, again))).toBe("400 invalid-grant");

    expect(problem(await enrol(ann, keys, { origin: system.appOrigin }))).toBe("403 foreign-origin");
    expect(problem(await enrol(ann, keys, { origin: "null" }))).toBe("403 foreign-origin");
    expect(problem(await enrol(ann, keys, { cookie: "" }))).toBe("401 no-session");
    expect(problem(await ann.vaultPost("/ra/enrolments", {}, { origin: system.appOrigin }))).toBe(
      "403 foreign-origin",
    );
  });

  it("M20 refuses another nonce, an altered request, another key's proof, and leaves no instance", async () => {
    const before = json<{ instances: unknown[] }>(await ann.rest("GET", "/ra/instances")).instances.length;
    const foreign = await makeKeys();
    const tampering: ((body: Awaited<ReturnType<typeof redemption>>) => Promise<object>)[] = [
      async (body) => ({
        ...body,
        ...(await redemption(body.credential, encodeBase64url(new Uint8Array(32)), keys)),
      }),
      async (body) => ({ ...body, identityRequest: `${body.identityRequest.slice(0, -8)}AAAAAAAA` }),
      async (body) => ({ ...body, wrappingProof: encodeBase64url(new Uint8Array(64)) }),
      async (body) => {
        const spki = new Uint8Array(await subtle.exportKey("spki", foreign.wrapping.publicKey));
        return { ...body, wrappingKey: encodeBase64url(spki) };
      },
    ];
    for (const tamper of tampering) {
      const grant = await askGrant(ann);
      const { id, nonce } = await openSession(ann);
      const body = await tamper(await redemption(grant, nonce, keys));
      expect(problem(await ann.vaultPost(`/ra/enrolments/${id}`, body))).toBe("400 invalid-certificate");
    }
    expect(json<{ instances: unknown[] }>(await ann.rest("GET", "/ra/instances")).instances).toHaveLength(
      before,
    );
  });

  it.each([
    ["another method", { method: "attestation" }],
    ["an additional member", { admin: true }],
    ["no credential", { credential: "" }],
    ["a list", { identityRequest: [] }],
  ])("refuses %s", async (_, over) => {
    const { id, nonce } = await openSession(ann);
    const body = { ...(await redemption(await askGrant(ann), nonce, keys)), ...over };
    expect(problem(await ann.vaultPost(`/ra/enrolments/${id}`, body))).toBe("400 bad-request");
  });
});

describe("data keys", () => {
  it("M6 come as signed EDKs with metadata", async () => {
    const answer = await ann.rest("POST", "/kms/data-keys", {
      account: ann.account,
      count: 3,
      purpose: "document",
    });
    expect(answer.status).toBe(201);
    const { edks } = json<{ edks: string[] }>(answer);
    expect(answer.headers["cache-control"]).toBe("no-store");
    const read = await Promise.all(edks.map((edk) => verifyEdk(edk, trust, now())));
    expect(new Set(read.map(({ keyId }) => keyId)).size).toBe(3);
    expect(new Set(read.map(({ accountKey }) => accountKey!.id)).size).toBe(1);
    expect(read[0]).toMatchObject({
      tenant: ann.tokens.tenant,
      account: ann.account,
      owner: ann.tokens.user.id,
      purpose: "document",
      policy: { operations: ["encrypt", "decrypt"] },
    });
  });

  it.each([
    ["17 keys", { count: 17 }, "400 bad-request"],
    ["no keys", { count: 0 }, "400 bad-request"],
    ["another purpose", { purpose: "root" }, "400 bad-request"],
    ["an additional member", { tenant: "other" }, "400 bad-request"],
    ["another account", { account: "someone-else" }, "403 forbidden"],
  ])("refuses %s", async (_, over, expected) => {
    const body = { account: ann.account, count: 1, purpose: "document", ...over };
    expect(problem(await ann.rest("POST", "/kms/data-keys", body))).toBe(expected);
  });

  it("are bounded in number, for each account", async () => {
    const eve = await EdgeClient.signedIn(system, "Eve");
    const body = { account: eve.account, count: 16, purpose: "document" };
    for (let i = 0; i < 4; i++) expect((await eve.rest("POST", "/kms/data-keys", body)).status).toBe(201);
    expect(problem(await eve.rest("POST", "/kms/data-keys", { ...body, count: 1 }))).toBe(
      "429 too-many-requests",
    );
    expect(claims(await newEdk()).account).toBe(ann.account);
  });

  it("M20 refuses an account of others", async () => {
    const body = { account: bob.account, count: 1, purpose: "document" };
    expect(problem(await ann.rest("POST", "/kms/data-keys", body))).toBe("403 forbidden");
  });
});

describe("rewrap", () => {
  it("M8 gives the instance the key that the HSM made, with a receipt", async () => {
    const edk = await newEdk();
    const { wrappedKey, receipt } = json<{ wrappedKey: string; receipt: string }>(
      await rewrap(ann, edk, instance.wrappingCertificate),
    );
    const wrapped = decodeBase64url(wrappedKey);
    const recipient = await digest(decodeBase64url(instance.wrappingCertificate));
    const checked = await verifyReceipt(receipt, trust, { wrappedKey: wrapped, edk, recipient, now: now() });
    expect(checked).toMatchObject({
      keyId: claims(edk).keyId,
      policy: { operations: ["encrypt", "decrypt"] },
    });
    expect(checked.exp).toBeLessThanOrEqual(instance.notAfter);
    const opened = new Uint8Array(await subtle.decrypt("RSA-OAEP", keys.wrapping.privateKey, wrapped));
    expect(watch.ofClass("data").some(({ bytes }) => Buffer.from(bytes).equals(opened))).toBe(true);
  });

  it("M8 gives another version of nothing: same key each time, wrapped again", async () => {
    const edk = await newEdk();
    const answers = await Promise.all([1, 2].map(() => rewrap(ann, edk, instance.wrappingCertificate)));
    const [a, b] = answers.map((answer) => decodeBase64url(json<{ wrappedKey: string }>(answer).wrappedKey));
    expect(a).not.toEqual(b);
    const open = async (bytes: Uint8Array<ArrayBuffer>) =>
      encodeBase64url(new Uint8Array(await subtle.decrypt("RSA-OAEP", keys.wrapping.privateKey, bytes)));
    expect(await open(a!)).toBe(await open(b!));
  });

  it("M13 M20 refuses others' certificates, others' keys, and what is not registered", async () => {
    const edk = await newEdk();
    // What is registered for another user is, to this one, registered for nobody.
    expect(problem(await rewrap(ann, edk, bobs.wrappingCertificate))).toBe("403 not-recipient");
    expect(problem(await rewrap(bob, edk, bobs.wrappingCertificate))).toBe("403 forbidden");
    expect(problem(await rewrap(bob, edk, instance.wrappingCertificate))).toBe("403 forbidden");
    for (const certificate of [
      instance.identityCertificate,
      instance.chain[0]!,
      ann.tokens.custodian.certificate,
      "AAAA",
      "",
    ]) {
      expect(problem(await rewrap(ann, edk, certificate))).toBe("403 not-recipient");
    }
    expect(problem(await rewrap(ann, edk, "!"))).toBe("400 invalid-certificate");
  });

  it("M13 keeps the apps of one user apart: keys, documents and instances", async () => {
    const appOrigin = system.origin("other");
    const other = await EdgeClient.signedIn({ appOrigin, vaultOrigin: system.vaultOrigin }, "Ann");
    expect(other.tokens.user).toEqual(ann.tokens.user);
    expect(other.account).toBe(ann.account);
    const own = json<EnrolmentAnswer>(await enrol(other, await makeKeys()));
    expect(own.origin).toBe(appOrigin);
    expect((await rewrap(other, await newEdk(other), own.wrappingCertificate)).status).toBe(200);

    const edk = await newEdk();
    expect(problem(await rewrap(other, edk, own.wrappingCertificate))).toBe("403 forbidden");
    expect(problem(await rewrap(other, edk, instance.wrappingCertificate))).toBe("403 foreign-custodian");
    expect(problem(await rewrap(ann, edk, own.wrappingCertificate))).toBe("403 foreign-custodian");

    const id = await sealed(ann);
    const listed = async (client: EdgeClient) =>
      json<{ documents: { id: string }[] }>(await client.rest("GET", ann.documents)).documents;
    expect((await listed(ann)).map((document) => document.id)).toContain(id);
    expect(await listed(other)).toEqual([]);
    for (const [method, path, body] of [
      ["GET", `${ann.documents}/${id}/content`],
      ["GET", `${ann.documents}/${id}/metadata`],
      ["PUT", `${ann.documents}/${id}/metadata`, new Uint8Array(5)],
      ["DELETE", `${ann.documents}/${id}`],
      ["DELETE", `/ra/instances/${instance.instance}`],
    ] as const) {
      expect(problem(await other.rest(method, path, body)), `${method} ${path}`).toBe("404 not-found");
    }
    const { instances } = json<{ instances: { id: string }[] }>(await other.rest("GET", "/ra/instances"));
    expect(instances.map((each) => each.id)).toEqual([own.instance]);
    expect((await rewrap(ann, edk, instance.wrappingCertificate)).status).toBe(200);
  });

  it("M20 refuses an altered EDK in any part", async () => {
    const edk = await newEdk();
    const [header, payload, signature] = edk.split(".") as [string, string, string];
    const swap = (text: string) => (text.startsWith("A") ? "B" : "A") + text.slice(1);
    const other = (await newEdk()).split(".")[1]!;
    const widened = Buffer.from(payload, "base64url").toString().replace(ann.account, bob.account);
    for (const altered of [
      [swap(header), payload, signature],
      [header, swap(payload), signature],
      [header, payload, swap(signature)],
      [header, other, signature],
      [header, Buffer.from(widened).toString("base64url"), signature],
      [header, payload],
    ]) {
      expect(problem(await rewrap(ann, altered.join("."), instance.wrappingCertificate))).toBe(
        "400 invalid-edk",
      );
    }
    const receipt = json<{ receipt: string }>(await rewrap(ann, edk, instance.wrappingCertificate)).receipt;
    expect(problem(await rewrap(ann, receipt, instance.wrappingCertificate))).toBe("400 invalid-edk");
    expect(problem(await rewrap(ann, "x".repeat(9000), instance.wrappingCertificate))).toBe(
      "400 bad-request",
    );
  });

  it("W12 refuses a revoked instance at once, and no other", async () => {
    const edk = await newEdk();
    const second = json<EnrolmentAnswer>(await enrol(ann, await makeKeys()));
    expect((await rewrap(ann, edk, second.wrappingCertificate)).status).toBe(200);
    expect(problem(await bob.rest("DELETE", `/ra/instances/${second.instance}`))).toBe("404 not-found");
    expect((await ann.rest("DELETE", `/ra/instances/${second.instance}`)).status).toBe(204);
    expect(problem(await rewrap(ann, edk, second.wrappingCertificate))).toBe("403 not-recipient");
    expect((await rewrap(ann, edk, instance.wrappingCertificate)).status).toBe(200);
  });

  it("W12 gives nothing to an instance that was revoked while the HSM wrapped", async () => {
    const edk = await newEdk();
    const second = json<EnrolmentAnswer>(await enrol(ann, await makeKeys()));
    const held = holdWrapping();
    try {
      const asked = rewrap(ann, edk, second.wrappingCertificate);
      await held.reached;
      expect((await ann.rest("DELETE", `/ra/instances/${second.instance}`)).status).toBe(204);
      held.release();
      expect(problem(await asked)).toBe("403 not-recipient");
    } finally {
      held.release();
    }
    expect((await rewrap(ann, edk, instance.wrappingCertificate)).status).toBe(200);
  });

  it("leaves no account or data key in the HSM", async () => {
    await rewrap(ann, await newEdk(), instance.wrappingCertificate);
    const { pki, hsm } = system.running;
    const transport = tlsTransport({
      host: "127.0.0.1",
      port: hsm.ttlvPort,
      ca: pki.serverCa,
      ...pki.clients[IDENTITY.kms],
    });
    const kmip = createKmipClient(transport);
    const { uniqueIdentifier } = await kmip.request("Locate", { attributes: { objectType: "SymmetricKey" } });
    transport.close();
    // The tenant's master key, and its HMAC key for seeds.
    expect(uniqueIdentifier).toHaveLength(2);
  });

  it("W2 goes on after a restart of everything", async () => {
    const edk = await newEdk();
    await system.restart();
    expect((await rewrap(ann, edk, instance.wrappingCertificate)).status).toBe(200);
  });
});
