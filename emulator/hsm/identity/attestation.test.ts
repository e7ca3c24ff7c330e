import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeEvidence, makePlatform, type Platform } from "#emulator/enclave/index.ts";
import { ATTESTATION_TYPES, ENCLAVE_EVIDENCE } from "#protocol/evidence/index.ts";
import { IDENTITY, POLICY, policy, VENDOR } from "#protocol/hierarchy/index.ts";
import {
  type Attributes,
  type Credential,
  decodeResponse,
  type Exchange,
  encodeRequest,
  item,
  type KmipClient,
  type Nonce,
  type RequestHeader,
  type RequestItem,
  type ResponseMessage,
} from "#protocol/kmip/index.ts";
import { isTighter } from "../policy/attestation.ts";
import { type TestHsm, testHsm, WAYS, type Way } from "../testing/deployment.ts";
import { AES, aesKw, createMaster, PAST } from "../testing/hierarchy.ts";
import { reason } from "../testing/refusal.ts";
import { issueClient } from "./pki.ts";

/** Attestation enforced (KMIP 2.1 §9.3 Attestation Capable Indicator, §9.11 Credential): the way it goes, and each way in which it is misused. */

const V2_1 = { major: 2, minor: 1 };
const V1_4 = { major: 1, minor: 4 };
const VERSIONS = [V1_4, V2_1];
const GOOD = "ab".repeat(32);
const OTHER = "cd".repeat(32);
const USES = ["Encrypt", "Decrypt", "MACGenerate", "DeriveKey", "WrapKey"] as const;
const data = new Uint8Array(16);

let test: TestHsm;
let platform: Platform;
let other: Platform;
let now = new Date();
let alice: Client;
let bob: Client;
let key: string;

beforeAll(async () => {
  [platform, other] = await Promise.all([makePlatform(now), makePlatform(now)]);
  test = await testHsm({ now: () => now, attestationRoots: [platform.root], users: { shared: "password" } });
  [alice, bob] = [await client("alice"), await client("bob")];
  key = await createKey(alice, `EAT measurement=${GOOD}`);
}, 30_000);
afterAll(() => test.close());

interface Client {
  name: string;
  kmip: KmipClient;
  by: (way: Way) => Exchange;
}

async function client(name: string): Promise<Client> {
  const pair = await issueClient(test.pki.dir, name);
  const kept = new Map<Way, Exchange>();
  const by = (way: Way) => {
    const exchange = kept.get(way) ?? test.exchange(pair, way);
    kept.set(way, exchange);
    return exchange;
  };
  return { name, kmip: test.as(pair), by };
}

async function createKey({ kmip }: Client, requirement?: string, more: Attributes = {}): Promise<string> {
  const attributes: Attributes = {
    ...AES,
    cryptographicUsageMask: [...USES],
    activationDate: PAST,
    ...more,
    ...(requirement === undefined ? {} : { vendorAttributes: [policy("Attestation", requirement)] }),
  };
  const { uniqueIdentifier } = await kmip.request("Create", { objectType: "SymmetricKey", attributes });
  return uniqueIdentifier;
}

const encrypt = (uniqueIdentifier: string): RequestItem =>
  item("Encrypt", { uniqueIdentifier, data, cryptographicParameters: { blockCipherMode: "ECB" } });

async function send(
  { by }: Client,
  header: Partial<RequestHeader> = {},
  items: RequestItem[] = [encrypt(key)],
  way: Way = WAYS[0],
): Promise<ResponseMessage> {
  const message = { header: { protocolVersion: V2_1, ...header }, items };
  const { encoding } = way;
  return decodeResponse(await by(way)(encodeRequest(message, encoding)), { encoding });
}
const outcome = ({ items: [answer] }: ResponseMessage) => answer!.resultReason ?? answer!.resultStatus;

const ask = (protocolVersion = V2_1) => ({ protocolVersion, attestationCapableIndicator: true });
async function freshNonce(who = alice, version = V2_1, way: Way = WAYS[0]): Promise<Nonce> {
  const items = [encrypt(who === alice ? key : await createKey(who, "EAT"))];
  const { header } = await send(who, ask(version), items, way);
  return header.nonce!;
}

function evidence(nonce: Nonce, changes: Parameters<typeof makeEvidence>[2] = {}, from = platform) {
  const order = { nonce: nonce.nonceValue, client: "alice", measurement: GOOD, now };
  return makeEvidence(from, order, changes);
}
function attested(nonce: Nonce, value: Partial<Credential["credentialValue"]> = {}, protocolVersion = V2_1) {
  const credentialValue = {
    nonce,
    attestationType: ENCLAVE_EVIDENCE,
    attestationAssertion: evidence(nonce),
    ...value,
  };
  return {
    ...ask(protocolVersion),
    authentication: { credential: [{ credentialType: "Attestation" as const, credentialValue }] },
  };
}

const EVERYWHERE = WAYS.flatMap((way) =>
  VERSIONS.map((version) => ({ ...way, way, version, number: `${version.major}.${version.minor}` })),
);

describe.each(EVERYWHERE)("over $transport in $encoding, KMIP $number:", ({ way, version }) => {
  const over = (who: Client, header: Partial<RequestHeader>) => send(who, header, [encrypt(key)], way);

  it("an object that requires attestation is used by a client that shows fresh evidence", async () => {
    const first = await over(alice, ask(version));
    expect(outcome(first)).toBe("AttestationRequired");
    expect(first.header.attestationType).toEqual(ATTESTATION_TYPES);
    expect(first.header.nonce!.nonceValue.length).toBe(32);
    const second = await over(alice, attested(first.header.nonce!, {}, version));
    expect(outcome(second)).toBe("Success");
    expect(second.header.nonce).toBeUndefined();
    expect(second.header.attestationType).toBeUndefined();
    const nonce = await freshNonce(alice, version, way);
    const measured = { attestationMeasurement: evidence(nonce), attestationAssertion: undefined };
    expect(outcome(await over(alice, attested(nonce, measured, version)))).toBe("Success");
  });

  it("it is refused to clients that cannot attest, without a nonce", async () => {
    for (const indicator of [{}, { attestationCapableIndicator: false }]) {
      const answer = await over(alice, { protocolVersion: version, ...indicator });
      expect(outcome(answer)).toBe("PermissionDenied");
      expect([answer.header.nonce, answer.header.attestationType]).toEqual([undefined, undefined]);
    }
  });

  it("evidence is refused the second time", async () => {
    const header = attested(await freshNonce(alice, version, way), {}, version);
    expect(outcome(await over(alice, header))).toBe("Success");
    expect(outcome(await over(alice, header))).toBe("AttestationFailed");
  });

  it("evidence is refused from another client, no matter who made it, and its nonce is gone then", async () => {
    const nonce = await freshNonce(alice, version, way);
    expect(outcome(await over(bob, attested(nonce, {}, version)))).toBe("AttestationFailed");
    expect(outcome(await over(alice, attested(nonce, {}, version)))).toBe("AttestationFailed");
    const bobs = await freshNonce(bob, version, way);
    expect(outcome(await over(bob, attested(bobs, {}, version)))).toBe("AttestationFailed");
    const alices = await freshNonce(alice, version, way);
    const own = { attestationAssertion: evidence(alices, { claims: { sub: "bob" } }) };
    expect(outcome(await over(bob, attested(alices, own, version)))).toBe("AttestationFailed");
  });
});

describe("an object that requires attestation", () => {
  it.each([
    { major: 1, minor: 0 },
    { major: 1, minor: 1 },
  ])("is out of reach of a version without attestation (%o)", async (protocolVersion) => {
    const get = item("Get", { uniqueIdentifier: key });
    const answer = await send(alice, { protocolVersion }, [get]);
    expect(outcome(answer)).toBe("PermissionDenied");
    expect(answer.header).toEqual({ protocolVersion, timeStamp: answer.header.timeStamp });
  });

  it("asks for it in every operation that uses or releases it, and in no other", async () => {
    const wrapper = await createKey(alice);
    const uniqueIdentifier = key;
    const derive = {
      objectType: "SymmetricKey" as const,
      uniqueIdentifier: [key],
      derivationMethod: "HMAC" as const,
      derivationParameters: { derivationData: data },
      attributes: { ...AES, cryptographicUsageMask: ["Encrypt" as const] },
    };
    const split = { splitKeyParts: 2, splitKeyThreshold: 2, splitKeyMethod: "XOR" as const };
    const using: RequestItem[] = [
      item("Get", { uniqueIdentifier }),
      item("Get", { uniqueIdentifier, keyWrappingSpecification: aesKw(wrapper) }),
      item("Get", { uniqueIdentifier: wrapper, keyWrappingSpecification: aesKw(key) }),
      item("Export", { uniqueIdentifier }),
      encrypt(key),
      item("Decrypt", { uniqueIdentifier, data }),
      item("Sign", { uniqueIdentifier, data }),
      item("SignatureVerify", { uniqueIdentifier, data, signatureData: data }),
      item("MAC", { uniqueIdentifier, data }),
      item("MACVerify", { uniqueIdentifier, data, macData: data }),
      item("DeriveKey", derive),
      item("ReKey", { uniqueIdentifier }),
      item("CreateSplitKey", { objectType: "SplitKey", uniqueIdentifier, ...split }),
      item("JoinSplitKey", { objectType: "SecretData", uniqueIdentifier: [key] }),
    ];
    for (const one of using) {
      expect([one.operation, outcome(await send(alice, ask(), [one]))]).toEqual([
        one.operation,
        "AttestationRequired",
      ]);
      expect([one.operation, outcome(await send(alice, {}, [one]))]).toEqual([
        one.operation,
        "PermissionDenied",
      ]);
    }
    expect(
      outcome(
        await send(alice, {}, [item("GetAttributes", { uniqueIdentifier, attributeReference: ["state"] })]),
      ),
    ).toBe("Success");
    expect(outcome(await send(alice, ask(), [encrypt(wrapper)]))).toBe("Success");
    // A client that may not use it does not learn that it exists.
    expect(outcome(await send(bob, ask()))).toBe("ObjectNotFound");
  });

  it("gives one nonce a message, whatever its items ask", async () => {
    const answer = await send(alice, { ...ask(), batchErrorContinuationOption: "Continue" }, [
      { ...encrypt(key), uniqueBatchItemId: new Uint8Array([1]) } as RequestItem,
      { ...encrypt(key), uniqueBatchItemId: new Uint8Array([2]) } as RequestItem,
    ]);
    expect(answer.items.map(({ resultReason }) => resultReason)).toEqual(
      Array(2).fill("AttestationRequired"),
    );
    expect(outcome(await send(alice, attested(answer.header.nonce!)))).toBe("Success");
  });
});

describe("evidence is refused", () => {
  it("when its nonce is too old, and not before", async () => {
    const [kept, late] = [await freshNonce(), await freshNonce()];
    now = new Date(now.getTime() + 59_000);
    expect(outcome(await send(alice, attested(kept)))).toBe("Success");
    now = new Date(now.getTime() + 1000);
    expect(outcome(await send(alice, attested(late)))).toBe("AttestationFailed");
  });

  const wrong: Record<string, (nonce: Nonce) => Partial<Credential["credentialValue"]>> = {
    "with another measurement": (nonce) => claims(nonce, { measurement: OTHER }),
    "without a measurement": (nonce) => claims(nonce, { measurement: undefined }),
    "for another nonce": (nonce) => claims(nonce, { eat_nonce: "AAAAAAAAAAA" }),
    "without a nonce in it": (nonce) => claims(nonce, { eat_nonce: undefined }),
    "without a nonce beside it": () => ({ nonce: undefined }),
    "with another value under the nonce's identifier": (nonce) => {
      const changed = { ...nonce, nonceValue: new Uint8Array(32) };
      return { nonce: changed, attestationAssertion: evidence(changed) };
    },
    "that has ended": (nonce) => claims(nonce, { exp: seconds() }),
    "that begins later": (nonce) => claims(nonce, { iat: seconds() + 301, exp: seconds() + 360 }),
    "that lives too long": (nonce) => claims(nonce, { exp: seconds() + 301 }),
    "that does not end": (nonce) => claims(nonce, { exp: undefined }),
    "that hides that it is emulated": (nonce) => claims(nonce, { environment: undefined }),
    "of another platform": (nonce) => ({ attestationAssertion: evidence(nonce, {}, other) }),
    "signed by another key": (nonce) => ({
      attestationAssertion: evidence(nonce, {}, { ...platform, key: other.key }),
    }),
    "signed by the root's certificate itself": (nonce) => ({
      attestationAssertion: evidence(nonce, {}, { ...platform, certificate: platform.root }),
    }),
    "with another algorithm": (nonce) => head(nonce, { alg: "none" }),
    "of another type of token": (nonce) => head(nonce, { typ: "JWT" }),
    "with more in its header": (nonce) => head(nonce, { crit: ["x"] }),
    "without a certificate": (nonce) => head(nonce, { x5c: undefined }),
    "with a bit changed": (nonce) => {
      const bytes = evidence(nonce);
      bytes[bytes.length - 20]! ^= 1;
      return { attestationAssertion: bytes };
    },
    "that is no token": () => ({ attestationAssertion: new Uint8Array(100) }),
    "that is empty": () => ({ attestationAssertion: new Uint8Array() }),
    "that is not there": () => ({ attestationAssertion: undefined }),
    "that is there twice": (nonce) => ({ attestationMeasurement: evidence(nonce) }),
    "that is too long": (nonce) => claims(nonce, { more: "x".repeat(9000) }),
    "of a standard type": () => ({ attestationType: "TPMQuote" }),
    "of an unknown type": () => ({ attestationType: 0x80000002 }),
    "of no type": () => ({ attestationType: undefined }),
  };
  const seconds = () => Math.floor(now.getTime() / 1000);
  const claims = (nonce: Nonce, changed: Record<string, unknown>) => ({
    attestationAssertion: evidence(nonce, { claims: changed }),
  });
  const head = (nonce: Nonce, changed: Record<string, unknown>) => ({
    attestationAssertion: evidence(nonce, { header: changed }),
  });

  it.each(Object.entries(wrong))("%s: one answer, and the nonce is used up", async (_what, change) => {
    for (const version of VERSIONS) {
      const nonce = await freshNonce(alice, version);
      const answer = await send(alice, attested(nonce, change(nonce), version));
      expect(outcome(answer)).toBe("AttestationFailed");
      expect(answer.items[0]!.resultMessage).toBe("The attestation was not accepted");
      if (change(nonce).nonce !== undefined || !("nonce" in change(nonce)))
        expect(outcome(await send(alice, attested(nonce, {}, version)))).toBe("AttestationFailed");
    }
  });

  it("when it comes twice, or beside a credential that is refused; the nonces are used up", async () => {
    const [one, two] = [await freshNonce(), await freshNonce()];
    const [first, second] = [attested(one), attested(two)];
    const credential = [...first.authentication.credential, ...second.authentication.credential];
    const refused = "AuthenticationNotSuccessful";
    expect(outcome(await send(alice, { ...ask(), authentication: { credential } }))).toBe(refused);
    for (const header of [first, second])
      expect(outcome(await send(alice, header))).toBe("AttestationFailed");
    const three = attested(await freshNonce());
    const bad = {
      credentialType: "UsernameAndPassword" as const,
      credentialValue: { username: "x", password: "x" },
    };
    const both = { credential: [...three.authentication.credential, bad] };
    expect(outcome(await send(alice, { ...ask(), authentication: both }))).toBe(refused);
    expect(outcome(await send(alice, three))).toBe("AttestationFailed");
  });

  it("where nothing needs it, too", async () => {
    const header = attested(await freshNonce());
    const ping = [item("Ping", {})];
    expect(outcome(await send(alice, header, ping))).toBe("Success");
    expect(outcome(await send(alice, header, ping))).toBe("AttestationFailed");
  });

  it("after more nonces were asked for than one client may have: its own oldest goes", async () => {
    const first = await freshNonce();
    for (let i = 0; i < 256; i++) await freshNonce();
    expect(outcome(await send(alice, attested(first)))).toBe("AttestationFailed");
  });

  it("after a restart", async () => {
    const nonce = await freshNonce();
    await test.restart({ now: () => now, attestationRoots: [platform.root] });
    [alice, bob] = [await client("alice"), await client("bob")];
    expect(outcome(await send(alice, attested(nonce)))).toBe("AttestationFailed");
  });
});

describe("an operation in pieces", () => {
  const params = { cryptographicParameters: { blockCipherMode: "CBC" as const } };
  const piece = (more: object, uniqueIdentifier = key) =>
    item("Encrypt", { uniqueIdentifier, data, ...params, ...more });
  const correlationOf = ({ items: [answer] }: ResponseMessage) =>
    (answer!.payload as { correlationValue: Uint8Array<ArrayBuffer> }).correlationValue;
  async function begun(uniqueIdentifier = key) {
    const header = attested(await freshNonce());
    const answer = await send(alice, header, [piece({ initIndicator: true }, uniqueIdentifier)]);
    expect(outcome(answer)).toBe("Success");
    return correlationOf(answer);
  }

  it("that was begun with evidence goes on without, to its end", async () => {
    const correlationValue = await begun();
    for (const more of [{}, {}, { finalIndicator: true }])
      expect(outcome(await send(alice, {}, [piece({ correlationValue, ...more })]))).toBe("Success");
    expect(outcome(await send(alice, ask(), [encrypt(key)]))).toBe("AttestationRequired");
  });

  it("is for the client that began it, with that key and in that operation", async () => {
    const correlationValue = await begun();
    const another = await createKey(alice, "EAT");
    for (const one of [
      piece({ correlationValue }, another),
      item("Decrypt", { uniqueIdentifier: key, data, correlationValue }),
      piece({ correlationValue: new Uint8Array(16) }),
      piece({}),
    ])
      expect(outcome(await send(alice, ask(), [one]))).toBe("AttestationRequired");
    expect(outcome(await send(bob, ask(), [piece({ correlationValue })]))).toBe("ObjectNotFound");
    expect(outcome(await send(alice, {}, [piece({ correlationValue })]))).toBe("Success");
  });

  it("asks again when the evidence has ended, and goes on with new evidence", async () => {
    const correlationValue = await begun();
    now = new Date(now.getTime() + 119_000);
    expect(outcome(await send(alice, ask(), [piece({ correlationValue })]))).toBe("Success");
    now = new Date(now.getTime() + 1000);
    const asked = await send(alice, ask(), [piece({ correlationValue })]);
    expect(outcome(asked)).toBe("AttestationRequired");
    const again = await send(alice, attested(asked.header.nonce!), [piece({ correlationValue })]);
    expect(outcome(again)).toBe("Success");
    expect(outcome(await send(alice, {}, [piece({ correlationValue, finalIndicator: true })]))).toBe(
      "Success",
    );
  });

  it("asks again when its key requires another measurement, or any at all, since", async () => {
    const changing = await createKey(alice, `EAT measurement=${GOOD}|${OTHER}`);
    const open = await createKey(alice);
    const correlationValue = await begun(changing);
    const plain = correlationOf(await send(alice, {}, [piece({ initIndicator: true }, open)]));
    for (const [uniqueIdentifier, text] of [
      [changing, `EAT measurement=${OTHER}`],
      [open, "EAT"],
    ] as const) {
      const newAttribute = { vendorAttributes: [policy("Attestation", text)] };
      await alice.kmip.request("SetAttribute", { uniqueIdentifier, newAttribute });
    }
    const go = async (uid: string, value: Uint8Array<ArrayBuffer>) =>
      outcome(await send(alice, ask(), [piece({ correlationValue: value }, uid)]));
    expect(await go(changing, correlationValue)).toBe("AttestationRequired");
    expect(await go(open, plain)).toBe("AttestationRequired");
  });

  it("goes on over the channel on which it was begun alone", async () => {
    const credential: Credential = {
      credentialType: "UsernameAndPassword",
      credentialValue: { username: "shared", password: "password" },
    };
    const shared = (header: ReturnType<typeof attested> | undefined) => ({
      ...ask(),
      authentication: { credential: [credential, ...(header?.authentication.credential ?? [])] },
    });
    const attributes: Attributes = {
      ...AES,
      cryptographicUsageMask: [...USES],
      activationDate: PAST,
      vendorAttributes: [policy("Attestation", "EAT")],
    };
    const create = item("Create", { objectType: "SymmetricKey", attributes });
    const made = await send(alice, shared(undefined), [create]);
    const { uniqueIdentifier } = made.items[0]!.payload as { uniqueIdentifier: string };
    const asked = await send(alice, shared(undefined), [encrypt(uniqueIdentifier)]);
    const first = piece({ initIndicator: true }, uniqueIdentifier);
    const correlationValue = correlationOf(await send(alice, shared(attested(asked.header.nonce!)), [first]));
    const next = [piece({ correlationValue }, uniqueIdentifier)];
    expect(outcome(await send(bob, shared(undefined), next))).toBe("AttestationRequired");
    expect(outcome(await send(alice, shared(undefined), next))).toBe("Success");
  });
});

describe("the requirement", () => {
  it("only tightens, whatever way its owner takes", async () => {
    const uniqueIdentifier = await createKey(alice, `EAT measurement=${GOOD}|${OTHER}`);
    const set = (text: string) => ({ vendorAttributes: [policy("Attestation", text)] });
    const change = (text: string) =>
      reason(alice.kmip.request("SetAttribute", { uniqueIdentifier, newAttribute: set(text) }));
    expect(await change("EAT")).toBe("PermissionDenied");
    expect(await change(`EAT measurement=${"ef".repeat(32)}`)).toBe("PermissionDenied");
    expect(await change("")).toBe("InvalidAttributeValue");
    expect(await change("TPMQuote")).toBe("InvalidAttributeValue");
    const vendor = { vendorIdentification: VENDOR, attributeName: POLICY.attestation };
    for (const gone of [
      { attributeReference: vendor },
      { currentAttribute: set(`EAT measurement=${GOOD}|${OTHER}`) },
    ])
      expect(await reason(alice.kmip.request("DeleteAttribute", { uniqueIdentifier, ...gone }))).toBe(
        "PermissionDenied",
      );
    const modify = { uniqueIdentifier, newAttribute: set("EAT") };
    expect(await reason(alice.kmip.request("ModifyAttribute", modify))).toBe("PermissionDenied");
    expect(await change(`EAT measurement=${GOOD}`)).toBe("Success");
    expect(await change(`EAT measurement=${GOOD}|${OTHER}`)).toBe("PermissionDenied");
    const open = await createKey(alice);
    const add = { uniqueIdentifier: open, newAttribute: set("EAT") };
    expect(await reason(alice.kmip.request("AddAttribute", add))).toBe("Success");
    expect(outcome(await send(alice, ask(), [encrypt(open)]))).toBe("AttestationRequired");
    expect([isTighter("EAT", `EAT measurement=${GOOD}`), isTighter("EAT", "EAT")]).toEqual([true, true]);
  });

  it("goes over to what is derived, split and re-keyed from the object", async () => {
    const required = `EAT measurement=${GOOD}`;
    const attributes = { ...AES, cryptographicUsageMask: ["Encrypt" as const], activationDate: PAST };
    const loose = { ...attributes, vendorAttributes: [policy("Attestation", "EAT")] };
    const derive = (given: Attributes) =>
      item("DeriveKey", {
        objectType: "SymmetricKey",
        uniqueIdentifier: [key],
        derivationMethod: "HMAC",
        derivationParameters: { derivationData: data },
        attributes: given,
      });
    const split = item("CreateSplitKey", {
      objectType: "SplitKey",
      uniqueIdentifier: key,
      splitKeyParts: 2,
      splitKeyThreshold: 2,
      splitKeyMethod: "XOR",
    });
    for (const one of [derive(attributes), split, item("ReKey", { uniqueIdentifier: key })]) {
      const answer = await send(alice, attested(await freshNonce()), [one]);
      expect([one.operation, outcome(answer)]).toEqual([one.operation, "Success"]);
      const { uniqueIdentifier } = answer.items[0]!.payload as { uniqueIdentifier: string | string[] };
      for (const uid of [uniqueIdentifier].flat()) {
        const { attributes: kept } = await alice.kmip.request("GetAttributes", {
          uniqueIdentifier: uid,
          attributeReference: [{ vendorIdentification: VENDOR, attributeName: POLICY.attestation }],
        });
        expect(kept.vendorAttributes).toEqual([policy("Attestation", required)]);
      }
    }
    expect(outcome(await send(alice, attested(await freshNonce()), [derive(loose)]))).toBe(
      "PermissionDenied",
    );
  });

  it("is set by the officer, and not on keys of the hierarchy", async () => {
    const officer = test.as(IDENTITY.officer);
    const vendorAttributes = [policy("Attestation", "EAT"), policy("Users", "alice")];
    const { privateKeyUniqueIdentifier } = await officer.request("CreateKeyPair", {
      commonAttributes: { cryptographicAlgorithm: "EC", cryptographicLength: 256, activationDate: PAST },
      privateKeyAttributes: { cryptographicUsageMask: ["Sign"], vendorAttributes },
      publicKeyAttributes: { cryptographicUsageMask: ["Verify"] },
    });
    const sign = item("Sign", {
      uniqueIdentifier: privateKeyUniqueIdentifier,
      data,
      cryptographicParameters: { digitalSignatureAlgorithm: "ECDSAWithSHA256" },
    });
    expect(outcome(await send(alice, ask(), [sign]))).toBe("AttestationRequired");
    expect(outcome(await send(alice, attested(await freshNonce()), [sign]))).toBe("Success");
    const uniqueIdentifier = await createMaster(officer, "attested");
    const newAttribute = { vendorAttributes: [policy("Attestation", "EAT")] };
    expect(await reason(officer.request("AddAttribute", { uniqueIdentifier, newAttribute }))).toBe(
      "PermissionDenied",
    );
  });
});

describe("Query", () => {
  it.each(VERSIONS)("tells the types, and that attestation is there (%o)", async (version) => {
    const asked = item("Query", { queryFunction: ["QueryAttestationTypes", "QueryCapabilities"] });
    const { items } = await send(alice, { protocolVersion: version }, [asked]);
    expect(items[0]!.payload).toMatchObject({
      attestationType: ATTESTATION_TYPES,
      capabilityInformation: [{ attestationCapability: true }],
    });
  });
});
