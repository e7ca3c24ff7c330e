import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { concat, utf8 } from "#protocol/bytes.ts";
import { CofferError } from "#protocol/error.ts";
import { METHOD_POLICY, parseCertificate, TIER_POLICY } from "#protocol/evidence/index.ts";
import { SIGN_TYPE } from "#protocol/hierarchy/index.ts";
import {
  digest,
  type Edk,
  joinJws,
  jwkFromSpki,
  type Receipt,
  signingInput,
  TRUST_TYPE,
  thumbprint,
  trustListPayload,
} from "#protocol/keys/index.ts";
import { otherForm } from "#protocol/keys/low-s.fixture.ts";
import { createPortClient, type PortClient, servePort } from "#protocol/port/index.ts";
import {
  captureCrypto,
  createMicroservice,
  type Ended,
  type InstanceRecord,
  type LoadedKeyRecord,
  type Peers,
  type Store,
} from "./index.ts";
import type { EnrolmentAnswer, Registration, SessionOwner } from "./registration.ts";

// RSA keys are made for every enrolment: a second each, several when the machine is busy.
vi.setConfig({ testTimeout: 30_000 });

type Bytes = Uint8Array<ArrayBuffer>;
const { subtle } = crypto;
const ECDSA = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const ORIGIN = "https://app.example";
const DN = `CN=u-1,OU=${ORIGIN},O=acme`;
const context = { tenant: "acme", account: "a-1", document: "d-1", purpose: "document" };
const START = Date.parse("2026-11-22T00:00:00Z");
let now = START;

type Signer = { keys: CryptoKeyPair; spki: Bytes; kid: string };
async function signer(): Promise<Signer> {
  const keys = await subtle.generateKey(ECDSA, false, ["sign", "verify"]);
  const spki = new Uint8Array(await subtle.exportKey("spki", keys.publicKey));
  return { keys, spki, kid: await thumbprint(jwkFromSpki(spki)) };
}
async function jws({ keys, kid }: Signer, typ: string, payload: object): Promise<string> {
  const input = signingInput({ typ, kid }, payload);
  return joinJws(input, new Uint8Array(await subtle.sign(ECDSA, keys.privateKey, utf8(input))));
}
type Order = {
  subject: string;
  key: CryptoKey | Bytes;
  issuer: string;
  by: Signer;
  extensions: x509.Extension[];
  notAfter?: number;
};
async function certify({ key, by, notAfter = START + 24 * 3600_000, ...order }: Order): Promise<Bytes> {
  const made = await x509.X509CertificateGenerator.create({
    ...order,
    publicKey: key instanceof Uint8Array ? new x509.PublicKey(key) : key,
    signingKey: by.keys.privateKey,
    signingAlgorithm: ECDSA,
    serialNumber: "01",
    notBefore: new Date(START - 60_000),
    notAfter: new Date(notAfter),
  });
  return new Uint8Array(made.rawData);
}
const authorityExtensions = (pathLength: number) => [
  new x509.BasicConstraintsExtension(true, pathLength, true),
  new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
];
const { digitalSignature, keyEncipherment } = x509.KeyUsageFlags;
/** What the registration authority writes into an instance's certificate. */
function leafExtensions({
  usage,
  custodian = DN,
  method = "grant",
  tier = "software",
}: {
  usage: number;
  custodian?: string;
  method?: keyof typeof METHOD_POLICY;
  tier?: keyof typeof TIER_POLICY;
}): x509.Extension[] {
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(usage, true),
    new x509.SubjectAlternativeNameExtension([{ type: "dn", value: custodian }]),
    new x509.CertificatePolicyExtension([METHOD_POLICY[method], TIER_POLICY[tier]]),
  ];
}
type Leaf = Partial<Parameters<typeof leafExtensions>[0]>;
const leaf = (key: CryptoKey | Bytes, usage: number, changes: Leaf = {}) =>
  certify({
    subject: "CN=i-1",
    key,
    issuer: "CN=CA",
    by: ca,
    extensions: leafExtensions({ usage, ...changes }),
  });
const certifyCa = (changes: Partial<Order> = {}) =>
  certify({
    subject: "CN=CA",
    key: ca.keys.publicKey,
    issuer: "CN=Root",
    by: root,
    extensions: authorityExtensions(0),
    ...changes,
  });
const certifyRoot = (by: Signer) =>
  certify({
    subject: "CN=Root",
    key: by.keys.publicKey,
    issuer: "CN=Root",
    by,
    extensions: authorityExtensions(1),
  });
/** The public keys in what the authority issued. */
const spkiOf = (certificate: string) => parseCertificate(decodeBase64url(certificate)).spki;

let root: Signer, ca: Signer, edkSigner: Signer, receiptSigner: Signer;
let chain: string[], trust: string;
beforeAll(async () => {
  [root, ca, edkSigner, receiptSigner] = await Promise.all([signer(), signer(), signer(), signer()]);
  chain = [encodeBase64url(await certifyCa()), encodeBase64url(await certifyRoot(root))];
  trust = await trustList(2);
});

function trustList(serial: number): Promise<string> {
  const keys = [
    { key: jwkFromSpki(edkSigner.spki), purpose: "edk" as const },
    { key: jwkFromSpki(receiptSigner.spki), purpose: "receipt" as const },
  ];
  const issue = { serial, iat: START / 1000 - 60, exp: START / 1000 + 3600 * 48 };
  return trustListPayload(keys, issue).then((list) => jws(root, TRUST_TYPE, list));
}

/** A registration authority that checks the request as the real one does. */
function authority(
  change: (
    enrolled: EnrolmentAnswer,
  ) => Promise<Partial<EnrolmentAnswer>> | Partial<EnrolmentAnswer> = () => ({}),
  said: Leaf = {},
): Registration {
  const nonce = crypto.getRandomValues(new Uint8Array(32));
  return {
    session: async () => session(),
    open: async () => ({ id: "e-1", nonce: encodeBase64url(nonce) }),
    async redeem(id, body) {
      expect(id).toBe("e-1");
      if (body.credential !== "grant") throw new CofferError("invalid-grant");
      const request = new x509.Pkcs10CertificateRequest(decodeBase64url(body.identityRequest!));
      expect(await request.verify()).toBe(true);
      expect((request.attributes[0] as x509.ChallengePasswordAttribute).password).toBe(
        encodeBase64url(nonce),
      );
      const wrapping = decodeBase64url(body.wrappingKey!);
      const identity = await request.publicKey.export(
        { name: "ECDSA", namedCurve: "P-256" },
        ["verify"],
        crypto,
      );
      const signed = concat(utf8("coffer-wrapping-key-v1\0"), nonce, wrapping);
      expect(await subtle.verify(ECDSA, identity, decodeBase64url(body.wrappingProof!), signed)).toBe(true);
      const enrolled: EnrolmentAnswer = {
        instance: "i-1",
        method: "grant",
        identityCertificate: encodeBase64url(await leaf(identity, digitalSignature, said)),
        wrappingCertificate: encodeBase64url(await leaf(wrapping, keyEncipherment, said)),
        chain,
        trust,
        custodian: DN,
        origin: ORIGIN,
        notAfter: Math.floor(now / 1000) + 3600,
      };
      return { ...enrolled, ...(await change(enrolled)) };
    },
  };
}

function memoryStore(): Store & {
  instances: Map<string, InstanceRecord>;
  keys: Map<string, LoadedKeyRecord>;
} {
  const instances = new Map<string, InstanceRecord>();
  const keys = new Map<string, LoadedKeyRecord>();
  const serials: number[] = [];
  const remove = (ended: (record: InstanceRecord) => boolean) => {
    for (const [name, record] of instances) {
      if (!ended(record)) continue;
      instances.delete(name);
      for (const key of keys.keys()) if (key.startsWith(`${record.id} `)) keys.delete(key);
    }
  };
  return {
    instances,
    keys,
    instance: async (origin, custodian) => instances.get(`${origin} ${custodian}`),
    replaceInstance: async (record) => {
      instances.set(`${record.origin} ${record.custodian}`, record);
      keys.clear();
    },
    deleteInstances: async (origin) => remove((record) => record.origin === origin),
    deleteEnded: async ({ live, now }) =>
      remove(({ session, notAfter }) => notAfter <= now || (live !== undefined && session !== live)),
    loadedKey: async (instance, edkDigest) => keys.get(`${instance} ${edkDigest}`),
    putLoadedKey: async (record) => void keys.set(`${record.instance} ${record.edkDigest}`, record),
    deleteLoadedKey: async (instance, edkDigest) => void keys.delete(`${instance} ${edkDigest}`),
    trustSerial: async () => serials.at(-1) ?? 0,
    keepTrustSerial: async (_root, serial) => void serials.push(serial),
  };
}

let store: ReturnType<typeof memoryStore>;
let listeners: ((ended: Ended) => void)[][];
let told: Ended[];
let timers: { task: () => void; at: number }[];
let unwraps: number;
/** What the vault's origin says of its cookie; throws where it would. */
let session: () => SessionOwner;
const clients: PortClient[] = [];

beforeEach(() => {
  now = START;
  store = memoryStore();
  [listeners, told] = [[], []];
  timers = [];
  unwraps = 0;
  session = () => ({ tenant: "acme", user: "u-1", session: "s-1" });
});
const refuse = (code: string) => () => {
  throw new CofferError(code);
};
function pass(milliseconds: number): void {
  now += milliseconds;
  for (const timer of timers.filter(({ at }) => at <= now)) {
    timers.splice(timers.indexOf(timer), 1);
    timer.task();
  }
}

/** Those of one browser: each hears what the others tell. */
function testPeers(): Peers {
  const own: ((ended: Ended) => void)[] = [];
  listeners.push(own);
  return {
    tell: (ended) => {
      told.push(ended);
      for (const others of listeners) if (others !== own) for (const listener of others) listener(ended);
    },
    listen: (listener) => void own.push(listener),
  };
}

function start(registration = authority(), origin = ORIGIN) {
  const captured = captureCrypto(crypto);
  const counting = {
    ...captured,
    subtle: {
      ...captured.subtle,
      unwrapKey: (...parameters: Parameters<SubtleCrypto["unwrapKey"]>) => {
        unwraps++;
        return captured.subtle.unwrapKey(...parameters);
      },
    },
  };
  const microservice = createMicroservice({
    crypto: counting as typeof captured,
    store,
    registration,
    rootKey: root.spki,
    origin,
    measurement: "sha384-test",
    peers: testPeers(),
    now: () => now,
    schedule: (task, delay) => timers.push({ task, at: now + delay }),
    timeToLive: 60_000,
  });
  const { port1, port2 } = new MessageChannel();
  servePort(port2, microservice, { onUnexpected: (error) => console.error(error) });
  const client = createPortClient(port1);
  clients.push(client);
  return { client, microservice };
}

async function enrolledClient() {
  const started = start();
  await started.client.hello(DN);
  const instance = await started.client.enrol("grant");
  return { ...started, instance };
}

/** What the KMS does: a data key, its EDK, rewrapped to a certificate, with a receipt. */
async function release(
  certificate: string,
  changes: { edk?: Partial<Edk>; receipt?: Partial<Receipt>; receiptBy?: Signer; edkBy?: Signer } = {},
) {
  const recipient = decodeBase64url(certificate);
  const publicKey = await new x509.X509Certificate(recipient).publicKey.export(
    { name: "RSA-OAEP", hash: "SHA-256" } as never,
    ["encrypt"],
    crypto,
  );
  const key = crypto.getRandomValues(new Uint8Array(32));
  const wrapped = new Uint8Array(await subtle.encrypt("RSA-OAEP", publicKey, key));
  const policy = { operations: ["encrypt", "decrypt"] as ("encrypt" | "decrypt")[] };
  const edk = await jws(changes.edkBy ?? edkSigner, SIGN_TYPE.edk, {
    version: 1,
    keyId: "k-1",
    keyVersion: 1,
    algorithm: "AES-256-GCM-HKDF-SHA512-COMMIT-KEY",
    tenant: "acme",
    account: "a-1",
    owner: "u-1",
    created: START / 1000,
    purpose: "document",
    accountKey: { id: "ak-1", version: 1 },
    wrapping: "A256KW",
    wrappedKey: encodeBase64url(crypto.getRandomValues(new Uint8Array(40))),
    policy,
    ...changes.edk,
  } satisfies Edk);
  const receipt = await jws(changes.receiptBy ?? receiptSigner, SIGN_TYPE.receipt, {
    version: 1,
    wrappedKeyDigest: await digest(wrapped),
    edkDigest: await digest(edk),
    keyId: "k-1",
    keyVersion: 1,
    recipient: await digest(recipient),
    tenant: "acme",
    account: "a-1",
    policy,
    iat: START / 1000,
    exp: START / 1000 + 3600,
    ...changes.receipt,
  } satisfies Receipt);
  return { edk, wrappedKey: encodeBase64url(wrapped), receipt };
}

async function collect(stream: ReadableStream<Uint8Array>): Promise<Bytes> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return concat(...chunks);
}

describe("enrolment", () => {
  it("makes keys, redeems the grant, and is there again after a reload", async () => {
    const first = start();
    expect(await first.client.hello(DN)).toEqual({ version: 1, measurement: "sha384-test", instance: null });
    await expect(first.client.enrol("stale")).rejects.toMatchObject({ code: "invalid-grant" });
    const instance = await first.client.enrol("grant");
    expect(instance).toMatchObject({
      id: "i-1",
      custodian: DN,
      method: "grant",
      notAfter: "2026-11-23T00:00:00.000Z",
    });
    const record = store.instances.get(`${ORIGIN} ${DN}`)!;
    for (const [key, usage] of [
      [record.identityKey, "sign"],
      [record.wrappingKey, "unwrapKey"],
    ] as const) {
      expect([key.type, key.extractable, key.usages]).toEqual(["private", false, [usage]]);
    }
    expect((await start().client.hello(DN)).instance).toEqual(instance);
  });

  it("tells no instance once its certificates have ended, and uses no key any more", async () => {
    const { client, instance } = await enrolledClient();
    const key = await release(instance.wrappingCertificate);
    await client.load(key);
    now = START + 24 * 3600_000;
    await expect(client.has(key.edk)).rejects.toMatchObject({ code: "not-enrolled" });
    expect((await client.hello(DN)).instance).toBeNull();
    expect((await start().client.hello(DN)).instance).toBeNull();
  });

  it.each<
    [
      string,
      (enrolled: EnrolmentAnswer) => Promise<Partial<EnrolmentAnswer>> | Partial<EnrolmentAnswer>,
      string,
    ]
  >([
    ["another custodian", () => ({ custodian: "CN=Other" }), "foreign-custodian"],
    ["another origin", () => ({ origin: "https://evil.example" }), "foreign-custodian"],
    [
      "a certificate for another key",
      ({ identityCertificate }) => ({ wrappingCertificate: identityCertificate }),
      "enrolment-refused",
    ],
    ["a chain without the root", () => ({ chain: chain.slice(0, 1) }), "enrolment-refused"],
    [
      "a trust list that the root did not sign",
      async () => ({ trust: await jws(ca, TRUST_TYPE, {}) }),
      "enrolment-refused",
    ],
    [
      "an identity certificate that names another custodian",
      async ({ identityCertificate }) => ({
        identityCertificate: encodeBase64url(
          await leaf(spkiOf(identityCertificate), digitalSignature, { custodian: DN.replace("u-1", "u-2") }),
        ),
      }),
      "enrolment-refused",
    ],
    [
      "a wrapping certificate for signatures",
      async ({ wrappingCertificate }) => ({
        wrappingCertificate: encodeBase64url(await leaf(spkiOf(wrappingCertificate), digitalSignature)),
      }),
      "enrolment-refused",
    ],
    [
      "certificates of two tiers",
      async ({ wrappingCertificate }) => ({
        wrappingCertificate: encodeBase64url(
          await leaf(spkiOf(wrappingCertificate), keyEncipherment, { tier: "hardware" }),
        ),
      }),
      "enrolment-refused",
    ],
    ["a method that its certificates do not name", () => ({ method: "attestation" }), "enrolment-refused"],
    [
      "an expired authority",
      async () => ({ chain: [encodeBase64url(await certifyCa({ notAfter: START - 1 })), chain[1]!] }),
      "enrolment-refused",
    ],
    [
      "certificates that an instance signed with its own key",
      async ({ identityCertificate, wrappingCertificate }) => {
        const instance = await signer();
        const own = await leaf(instance.keys.publicKey, digitalSignature);
        const forge = async (certificate: string, usage: number) =>
          encodeBase64url(
            await certify({
              subject: "CN=i-2",
              key: spkiOf(certificate),
              issuer: "CN=i-1",
              by: instance,
              extensions: leafExtensions({ usage }),
            }),
          );
        return {
          identityCertificate: await forge(identityCertificate, digitalSignature),
          wrappingCertificate: await forge(wrappingCertificate, keyEncipherment),
          chain: [encodeBase64url(own), ...chain],
        };
      },
      "enrolment-refused",
    ],
    ["bytes that are no certificate", () => ({ identityCertificate: "AAAA" }), "enrolment-refused"],
  ])("refuses %s", async (_, change, code) => {
    const { client } = start(authority(change));
    await client.hello(DN);
    await expect(client.enrol("grant")).rejects.toMatchObject({ code });
    expect(store.instances.size).toBe(0);
  });

  it("refuses certificates of another root", async () => {
    const other = await signer();
    const foreign = async (enrolled: EnrolmentAnswer): Promise<Partial<EnrolmentAnswer>> => ({
      chain: [chain[0]!, encodeBase64url(await certifyRoot(other))],
      trust: enrolled.trust,
    });
    const { client } = start(authority(foreign));
    await client.hello(DN);
    await expect(client.enrol("grant")).rejects.toMatchObject({ code: "enrolment-refused" });
  });

  it("M13 serves the custodian that the vault's own session names, whatever a page says", async () => {
    const { client } = await enrolledClient();
    const names = [
      DN.replace("u-1", "u-2"),
      DN.replace(ORIGIN, "https://other.example"),
      DN.replace("acme", "umbrella"),
    ];
    for (const name of [...names, "CN=u-1", "O=acme"]) {
      await expect(client.hello(name)).rejects.toMatchObject({ code: "foreign-custodian" });
      await expect(start().client.hello(name)).rejects.toMatchObject({ code: "foreign-custodian" });
    }
    const elsewhere = start(authority(), "https://other.example").client;
    await expect(elsewhere.hello(DN)).rejects.toMatchObject({ code: "foreign-custodian" });
    expect((await elsewhere.hello(names[1]!)).instance).toBeNull();
    expect((await client.hello(DN)).instance).not.toBeNull();
  });

  it("M13 without a session uses nothing that is stored, nor what is in memory", async () => {
    const { client, instance } = await enrolledClient();
    const key = await release(instance.wrappingCertificate);
    await client.load(key);
    session = refuse("no-session");
    const { client: reloaded } = start();
    await expect(reloaded.hello(DN)).rejects.toMatchObject({ code: "no-session" });
    await expect(reloaded.has(key.edk)).rejects.toMatchObject({ code: "hello-required" });
    await expect(client.hello(DN)).rejects.toMatchObject({ code: "no-session" });
    await expect(client.has(key.edk)).rejects.toMatchObject({ code: "not-enrolled" });
    session = refuse("internal");
    await expect(start().client.hello(DN)).rejects.toMatchObject({ code: "internal" });
  });

  it("M18 without a network serves the stored instance, to the name that it was enrolled for", async () => {
    const { instance } = await enrolledClient();
    session = refuse("offline");
    expect((await start().client.hello(DN)).instance).toEqual(instance);
    expect((await start().client.hello(DN.replace("u-1", "u-2"))).instance).toBeNull();
  });

  it("another user's sign-in deletes what the one before left, so that nothing of it is there without a network", async () => {
    const { instance, client } = await enrolledClient();
    await client.load(await release(instance.wrappingCertificate));
    session = () => ({ tenant: "acme", user: "u-2", session: "s-2" });
    expect((await start().client.hello(DN.replace("u-1", "u-2"))).instance).toBeNull();
    expect([store.instances.size, store.keys.size]).toEqual([0, 0]);
    session = refuse("offline");
    expect((await start().client.hello(DN)).instance).toBeNull();
  });

  /** The instance of another app in the same browser and session. */
  const OTHER = "https://other.example";
  const otherDn = DN.replace(ORIGIN, OTHER);
  async function otherApp() {
    const its = { custodian: otherDn, origin: OTHER, instance: "i-2" };
    const other = start(
      authority(async () => its, { custodian: otherDn }),
      OTHER,
    ).client;
    await other.hello(otherDn);
    await other.enrol("grant");
    return other;
  }
  const lives = (client: PortClient) =>
    client.has("e30.e30.AA").then(
      () => null,
      (error: CofferError) => error.code,
    );

  it.each<[string, () => SessionOwner, string]>([
    ["there is no session any more", refuse("no-session"), "u-1"],
    ["another user has signed in", () => ({ tenant: "acme", user: "u-2", session: "s-2" }), "u-2"],
    ["the same user has signed in again", () => ({ tenant: "acme", user: "u-1", session: "s-3" }), "u-1"],
    ["the tenant is another", () => ({ tenant: "umbrella", user: "u-1", session: "s-4" }), "u-1"],
  ])("B7 ends the instances of all apps when one learns that %s", async (_, now, user) => {
    const { client, instance } = await enrolledClient();
    const other = await otherApp();
    await client.load(await release(instance.wrappingCertificate));
    expect(store.instances.size).toBe(2);
    session = now;
    await start()
      .client.hello(DN.replace("u-1", user))
      .catch(() => {});
    expect([store.instances.size, store.keys.size]).toEqual([0, 0]);
    expect([await lives(client), await lives(other)]).toEqual(["not-enrolled", "not-enrolled"]);
    session = refuse("offline");
    for (const [origin, dn] of [
      [ORIGIN, DN],
      [OTHER, otherDn],
    ] as const)
      expect((await start(authority(), origin).client.hello(dn)).instance).toBeNull();
  });

  it("B7 a reload in the same session ends nothing, and neither does trouble at the edge", async () => {
    const { client } = await enrolledClient();
    const other = await otherApp();
    await start().client.hello(DN);
    session = refuse("internal");
    await expect(start().client.hello(DN)).rejects.toMatchObject({ code: "internal" });
    expect([await lives(client), await lives(other)]).toEqual([null, null]);
    expect(store.instances.size).toBe(2);
  });

  it("B7 B8 forgetting one app's instances tells its other tabs, and no other app", async () => {
    const { client } = await enrolledClient();
    const other = await otherApp();
    await start().client.forget();
    expect([await lives(client), await lives(other)]).toEqual(["not-enrolled", null]);
    expect([...store.instances.values()].map(({ origin }) => origin)).toEqual([OTHER]);
  });

  it("B7 an instance of an earlier release, which names no session, is replaced with a network and serves without", async () => {
    await enrolledClient();
    const [record] = store.instances.values();
    delete record!.session;
    session = refuse("offline");
    expect((await start().client.hello(DN)).instance).not.toBeNull();
    session = () => ({ tenant: "acme", user: "u-1", session: "s-1" });
    expect((await start().client.hello(DN)).instance).toBeNull();
    expect(store.instances.size).toBe(0);
  });

  it("B7 an instance that has run out is deleted, by the clock and at the next load without a network", async () => {
    const { client } = await enrolledClient();
    const other = await otherApp();
    const [record] = store.instances.values();
    pass(record!.notAfter - now);
    expect([await lives(client), await lives(other)]).toEqual(["not-enrolled", "not-enrolled"]);
    expect(store.instances.size).toBe(0);
    store.instances.set("left", record!);
    session = refuse("offline");
    await start().client.hello(DN);
    expect(store.instances.size).toBe(0);
  });

  it("B7 an end stops what streams through, and an enrolment under way in another tab", async () => {
    const { client, instance } = await enrolledClient();
    const key = await release(instance.wrappingCertificate);
    await client.load(key);
    let more = (_: Uint8Array) => {};
    const source = new ReadableStream<Uint8Array>({
      start(controller) {
        more = (chunk) => controller.enqueue(chunk);
      },
    });
    const sealed = client.seal({ edk: key.edk, context }, source);
    const reading = collect(sealed);
    reading.catch(() => {});
    more(new Uint8Array(300_000));
    const slow = authority();
    const enrolling = start({
      ...slow,
      async redeem(id, body) {
        session = refuse("no-session");
        await start()
          .client.hello(DN)
          .catch(() => {});
        return slow.redeem(id, body);
      },
    }).client;
    await enrolling.hello(DN);
    await expect(enrolling.enrol("grant")).rejects.toMatchObject({ code: "no-session" });
    const late = new Promise((resolve) => setTimeout(() => resolve("it goes on"), 2000));
    await expect(Promise.race([reading, late])).rejects.toMatchObject({ code: "no-session" });
    expect(store.instances.size).toBe(0);
  });

  it("a sign-out during an enrolment leaves nothing behind", async () => {
    const slow = authority();
    let client: PortClient;
    ({ client } = start({
      ...slow,
      async redeem(id, body) {
        await client.forget();
        return slow.redeem(id, body);
      },
    }));
    await client.hello(DN);
    await expect(client.enrol("grant")).rejects.toMatchObject({ code: "no-session" });
    expect(store.instances.size).toBe(0);
  });

  it("makes new keys for every enrolment and forgets what was wrapped to the old ones", async () => {
    const { client, instance } = await enrolledClient();
    const key = await release(instance.wrappingCertificate);
    await client.load(key);
    const again = await client.enrol("grant");
    expect(again.wrappingCertificate).not.toBe(instance.wrappingCertificate);
    expect(await client.has(key.edk)).toBe(false);
  });
});

describe("the trust list", () => {
  it("M20 never goes back: not at an enrolment, not after a sign-out, not from the store", async () => {
    const { client } = await enrolledClient();
    const older = start(authority(async () => ({ trust: await trustList(1) }))).client;
    await older.hello(DN);
    await expect(older.enrol("grant")).rejects.toMatchObject({ code: "enrolment-refused" });
    const newer = start(authority(async () => ({ trust: await trustList(3) }))).client;
    await newer.hello(DN);
    const kept = store.instances.get(`${ORIGIN} ${DN}`)!;
    await newer.enrol("grant");
    expect((await start().client.hello(DN)).instance).not.toBeNull();
    // As if another tab had put back what it had read before.
    store.instances.set(`${ORIGIN} ${DN}`, kept);
    expect((await start().client.hello(DN)).instance).toBeNull();
    await client.forget();
    expect(store.instances.size).toBe(0);
    const again = start().client;
    await again.hello(DN);
    await expect(again.enrol("grant")).rejects.toMatchObject({ code: "enrolment-refused" });
  });
});

describe("loading by rewrap", () => {
  it("forgets its keys, certificates and loaded keys when asked to, for a sign-out", async () => {
    const { client, instance } = await enrolledClient();
    const key = await release(instance.wrappingCertificate);
    await client.load(key);
    await client.forget();
    expect([store.instances.size, store.keys.size]).toEqual([0, 0]);
    await expect(client.has(key.edk)).rejects.toMatchObject({ code: "not-enrolled" });
    expect((await start().client.hello(DN)).instance).toBeNull();
  });

  it("forgets without a hello and without a session: a page that has only just been loaded can sign out", async () => {
    const { client, instance } = await enrolledClient();
    await client.load(await release(instance.wrappingCertificate));
    session = refuse("no-session");
    await start(authority(), "https://other.example").client.forget();
    expect(store.instances.size).toBe(1);
    await start().client.forget();
    expect([store.instances.size, store.keys.size]).toEqual([0, 0]);
  });

  it("seals and opens under a loaded key", async () => {
    const { client, instance } = await enrolledClient();
    const key = await release(instance.wrappingCertificate);
    expect(await client.has(key.edk)).toBe(false);
    expect(await client.load(key)).toEqual({ keyId: "k-1", keyVersion: 1 });
    expect(await client.has(key.edk)).toBe(true);
    const plaintext = crypto.getRandomValues(new Uint8Array(60_000));
    const message = await collect(client.seal({ edk: key.edk, context }, plaintext));
    expect(await client.inspect(message)).toEqual({ edk: key.edk, context });
    expect(await collect(client.open({ context }, message))).toEqual(plaintext);
    expect(await collect(client.open({ context }, new Blob([message])))).toEqual(plaintext);
    await expect(
      collect(client.open({ context: { ...context, document: "d-2" } }, message)),
    ).rejects.toMatchObject({ code: "decrypt-failed" });
  });

  it("refuses before it unwraps: no receipt, a receipt for another key, EDK, recipient, time or signer", async () => {
    const { client, instance } = await enrolledClient();
    const certificate = instance.wrappingCertificate;
    const [good, other] = await Promise.all([
      release(certificate),
      release(certificate, { edk: { keyId: "k-2" } }),
    ]);
    const loads = [
      { ...good, wrappedKey: other.wrappedKey },
      { ...good, edk: other.edk },
      { ...good, receipt: good.edk },
      { ...good, receipt: `${good.receipt.slice(0, -8)}AAAAAAAA` },
      await release(certificate, { receipt: { recipient: await digest("other") } }),
      await release(certificate, { receipt: { exp: START / 1000 - 1 } }),
      await release(certificate, { receipt: { keyVersion: 2 } }),
      await release(certificate, { receipt: { account: "a-2" } }),
      await release(certificate, { receiptBy: edkSigner }),
      await release(certificate, { receiptBy: root }),
      await release(certificate, { edkBy: receiptSigner }),
    ];
    for (const load of loads) {
      await expect(client.load(load)).rejects.toMatchObject({ code: "key-refused" });
      expect(unwraps).toBe(0);
    }
    expect(store.keys.size).toBe(0);
    await client.load(good);
    expect(unwraps).toBe(1);
  });

  it("keeps to the policy of EDK and receipt, and to the key's own tenant and account", async () => {
    const { client, instance } = await enrolledClient();
    const key = await release(instance.wrappingCertificate, {
      receipt: { policy: { operations: ["decrypt"] } },
    });
    await client.load(key);
    await expect(collect(client.seal({ edk: key.edk, context }, new Uint8Array(1)))).rejects.toMatchObject({
      code: "forbidden",
    });
    const free = await release(instance.wrappingCertificate);
    await client.load(free);
    for (const change of [{ tenant: "other" }, { account: "a-2" }, { purpose: "else" }]) {
      const sealing = collect(
        client.seal({ edk: free.edk, context: { ...context, ...change } }, new Uint8Array(1)),
      );
      await expect(sealing).rejects.toMatchObject({ code: "context-mismatch" });
    }
  });

  it("M12 keeps to the tier that its certificates name", async () => {
    const policy = { operations: ["encrypt" as const], tier: "emulated" as const };
    for (const [tier, code] of [
      ["software", "forbidden"],
      ["emulated", null],
      ["hardware", null],
    ] as const) {
      const { client } = start(authority(undefined, { tier }));
      await client.hello(DN);
      const instance = await client.enrol("grant");
      const key = await release(instance.wrappingCertificate, { receipt: { policy } });
      await client.load(key);
      const sealing = collect(client.seal({ edk: key.edk, context }, new Uint8Array(1)));
      if (code) await expect(sealing).rejects.toMatchObject({ code });
      else await sealing;
    }
  });

  it("deletes a key a set time after its last use; a later use verifies and unwraps the stored copy again", async () => {
    const { client, instance } = await enrolledClient();
    const key = await release(instance.wrappingCertificate);
    await client.load(key);
    pass(40_000);
    await client.has(key.edk);
    pass(40_000);
    await client.has(key.edk);
    expect(unwraps).toBe(1);
    pass(60_000);
    expect(await client.has(key.edk)).toBe(true);
    expect(unwraps).toBe(2);
    pass(60_000);
    store.keys.clear();
    expect(await client.has(key.edk)).toBe(false);
    await expect(collect(client.seal({ edk: key.edk, context }, new Uint8Array(1)))).rejects.toMatchObject({
      code: "key-missing",
    });
  });

  it("knows an EDK in both forms of its signature, and what earlier code kept by the other one", async () => {
    const { client, instance } = await enrolledClient();
    const key = await release(instance.wrappingCertificate);
    const high = otherForm(key.edk);
    // Loaded by one form, there by both; sealed with either, it is the same key.
    await client.load({ ...key, edk: high });
    expect(await client.has(key.edk)).toBe(true);
    expect(await client.has(high)).toBe(true);
    expect([unwraps, store.keys.size]).toEqual([1, 1]);
    const message = await collect(client.seal({ edk: high, context }, utf8("hello")));
    expect((await client.inspect(message)).edk).toBe(key.edk);

    // A receipt and a record of before the upgrade.
    store.keys.clear();
    pass(60_000);
    const edkDigest = await digest(high);
    const receipt = await jws(receiptSigner, SIGN_TYPE.receipt, {
      ...(JSON.parse(Buffer.from(key.receipt.split(".")[1]!, "base64url").toString()) as Receipt),
      edkDigest,
    });
    const wrappedKey = decodeBase64url(key.wrappedKey);
    const kept = { instance: instance.id, edkDigest, edk: high, wrappedKey, receipt, loaded: now };
    await store.putLoadedKey({ version: 2, ...kept });
    expect(await client.has(key.edk)).toBe(true);
    expect(await collect(client.open({ context }, message))).toEqual(utf8("hello"));
    expect(unwraps).toBe(2);
  });

  it.each([
    ["receipt", { receipt: { exp: START / 1000 + 90 } }],
    ["EDK", { edk: { expires: START / 1000 + 90 } }],
  ])("ends a loaded key with its %s, though it is in use all the time", async (_, changes) => {
    const { client, instance } = await enrolledClient();
    const key = await release(instance.wrappingCertificate, changes);
    await client.load(key);
    for (let i = 0; i < 2; i++) {
      pass(44_000);
      await collect(client.seal({ edk: key.edk, context }, new Uint8Array(1)));
    }
    pass(2_000);
    await expect(collect(client.seal({ edk: key.edk, context }, new Uint8Array(1)))).rejects.toMatchObject({
      code: "key-missing",
    });
    expect(store.keys.size).toBe(0);
    expect(unwraps).toBe(1);
  });

  it("opens after a reload from stored wrapped keys, until the receipt ends", async () => {
    const { client, instance } = await enrolledClient();
    const key = await release(instance.wrappingCertificate);
    await client.load(key);
    const message = await collect(client.seal({ edk: key.edk, context }, utf8("hello")));
    session = refuse("offline");
    const reloaded = start({
      ...authority(),
      open: () => Promise.reject(new Error("offline")),
      redeem: () => Promise.reject(new Error("offline")),
    });
    await reloaded.client.hello(DN);
    expect(await collect(reloaded.client.open({ context }, message))).toEqual(utf8("hello"));
    pass(3600_000);
    expect(await reloaded.client.has(key.edk)).toBe(false);
    expect(store.keys.size).toBe(0);
  });

  it("does nothing with keys before it is enrolled", async () => {
    const { client } = start();
    await client.hello(DN);
    const edk = await jws(edkSigner, SIGN_TYPE.edk, {});
    await expect(client.has(edk)).rejects.toMatchObject({ code: "not-enrolled" });
    await expect(client.load({ edk, receipt: edk, wrappedKey: "AAAA" })).rejects.toMatchObject({
      code: "not-enrolled",
    });
    await expect(collect(client.seal({ edk, context }, new Uint8Array(1)))).rejects.toMatchObject({
      code: "not-enrolled",
    });
  });
});
