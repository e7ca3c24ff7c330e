import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { makeEvidence, makePlatform, type Platform } from "#emulator/enclave/index.ts";
import { connectKmip } from "#kmip-node/index.ts";
import { ATTESTATION_TYPES, ENCLAVE_EVIDENCE } from "#protocol/evidence/index.ts";
import { named, policy } from "#protocol/hierarchy/index.ts";
import {
  type Attest,
  type Attributes,
  createKmipClient,
  decodeRequest,
  item,
  type KmipClient,
  type KmipClientOptions,
  payloadOf,
  type RequestItemOf,
  type RequestMessage,
} from "#protocol/kmip/index.ts";
import { type TestHsm, testHsm, WAYS, type Way } from "../testing/deployment.ts";
import { AES, PAST } from "../testing/hierarchy.ts";
import { reason } from "../testing/refusal.ts";
import { oneTimePassword } from "./one-time-password.ts";
import { issueClient, type KeyAndCertificate } from "./pki.ts";
import { principalOf } from "./principals.ts";

/** The client's side of credentials and attestation, with the server that asks for them. */

const data = new Uint8Array(16);
const secret = new Uint8Array(20).fill(7);
let test: TestHsm;
let platform: Platform;
let alice: KeyAndCertificate;
let key: string;

beforeAll(async () => {
  platform = await makePlatform(new Date());
  test = await testHsm({
    attestationRoots: [platform.root],
    principals: [
      principalOf("fred", "password1"),
      principalOf("otto", "password2", { oneTimeSecret: secret }),
    ],
  });
  alice = await issueClient(test.pki.dir, "alice");
  key = await create(test.as(alice));
}, 30_000);
afterAll(() => test.close());

const attributes = (name: string): Attributes => ({
  ...AES,
  name: named(name),
  cryptographicUsageMask: ["Encrypt"],
  activationDate: PAST,
});
async function create(client: KmipClient, name = "attested"): Promise<string> {
  const vendorAttributes = [policy("Attestation", "EAT")];
  const { uniqueIdentifier } = await client.request("Create", {
    objectType: "SymmetricKey",
    attributes: { ...attributes(name), vendorAttributes },
  });
  return uniqueIdentifier;
}

/** What an enclave does: evidence over the nonce, for the name in its certificate. */
const attest: Attest = async ({ nonceValue: nonce }) => ({
  attestationType: ENCLAVE_EVIDENCE,
  attestationAssertion: makeEvidence(platform, {
    nonce,
    client: "alice",
    measurement: "ab".repeat(32),
    now: new Date(),
  }),
});

/** A client of alice, and the requests that it sends. */
function clientOf(options: Partial<KmipClientOptions> = {}, way: Way = WAYS[0]) {
  const carry = test.exchange(alice, way);
  const sent: RequestMessage[] = [];
  const exchange: KmipClientOptions["exchange"] = (bytes) => {
    sent.push(decodeRequest(bytes, { encoding: way.encoding }));
    return carry(bytes);
  };
  const client = createKmipClient({ attest, encoding: way.encoding, ...options, exchange });
  return { client, sent };
}

const encrypt = (uniqueIdentifier: string | undefined = key): RequestItemOf<"Encrypt"> =>
  item("Encrypt", { uniqueIdentifier, data, cryptographicParameters: { blockCipherMode: "ECB" } });
const createItem = (name: string) =>
  item("Create", { objectType: "SymmetricKey", attributes: attributes(name) });
const countOf = async (name: string) => {
  const { uniqueIdentifier } = await test.as(alice).request("Locate", { attributes: { name: named(name) } });
  return uniqueIdentifier?.length ?? 0;
};

describe.each(WAYS)("a client that can attest, over $transport in $encoding:", (way) => {
  it("answers Attestation Required by itself, with evidence over the nonce", async () => {
    const attested = vi.fn(attest);
    const { client, sent } = clientOf({ attest: attested }, way);
    const { payload } = encrypt();
    expect((await client.request("Encrypt", payload)).data?.length).toBe(16);
    expect(attested).toHaveBeenCalledExactlyOnceWith(
      { nonceId: expect.any(Uint8Array), nonceValue: expect.any(Uint8Array) },
      ATTESTATION_TYPES,
    );
    expect(sent.map(({ header }) => header.authentication?.credential?.length ?? 0)).toEqual([0, 1]);
    expect(sent.map(({ header }) => header.attestationCapableIndicator)).toEqual([true, true]);
  });
});

describe("a client that can attest", () => {
  it("sends what needs no attestation once", async () => {
    const { client, sent } = clientOf();
    await client.request("GetAttributes", { uniqueIdentifier: key, attributeReference: ["state"] });
    expect(sent.length).toBe(1);
  });

  it("tells the caller what the server says the second time, and does not ask a third", async () => {
    const attested = vi.fn<Attest>(async () => ({
      attestationType: ENCLAVE_EVIDENCE,
      attestationMeasurement: new Uint8Array(100),
    }));
    const { client, sent } = clientOf({ attest: attested });
    expect(await reason(client.request("Encrypt", encrypt().payload))).toBe("AttestationFailed");
    expect([attested.mock.calls.length, sent.length]).toEqual([1, 2]);
  });

  it("hands on the refusal where it has no evidence of an accepted type, and what goes wrong in making it", async () => {
    const { client, sent } = clientOf({ attest: async () => undefined });
    expect(await reason(client.request("Encrypt", encrypt().payload))).toBe("AttestationRequired");
    expect(sent.length).toBe(1);
    const broken = clientOf({ attest: () => Promise.reject(new RangeError("no enclave")) });
    await expect(broken.client.request("Encrypt", encrypt().payload)).rejects.toThrow(RangeError);
  });

  it("does not say so in a version that has no attestation, nor without the option", async () => {
    const old = clientOf({ version: { major: 1, minor: 1 } });
    expect(await reason(old.client.request("Get", { uniqueIdentifier: key }))).toBe("PermissionDenied");
    const get = test.as(alice).request("Get", { uniqueIdentifier: key });
    expect(await reason(get)).toBe("PermissionDenied");
    expect(old.sent[0]!.header.attestationCapableIndicator).toBeUndefined();
  });

  it("attests for many requests at once", async () => {
    const { client } = clientOf();
    const all = Array.from({ length: 64 }, () => client.request("Encrypt", encrypt().payload));
    expect((await Promise.all(all)).length).toBe(64);
  });

  it("attests once for an operation in pieces", async () => {
    const attested = vi.fn(attest);
    const { client } = clientOf({ attest: attested });
    const piece = { ...encrypt().payload, cryptographicParameters: { blockCipherMode: "CBC" as const } };
    const { correlationValue } = await client.request("Encrypt", { ...piece, initIndicator: true });
    await client.request("Encrypt", { ...piece, correlationValue });
    await client.request("Encrypt", { ...piece, correlationValue, finalIndicator: true });
    expect(attested).toHaveBeenCalledOnce();
  });

  it("sends its other credentials beside the evidence", async () => {
    const fred = { credentialType: "UsernameAndPassword", credentialValue: FRED } as const;
    const { client } = clientOf({ credentials: [fred] });
    const uniqueIdentifier = await create(client);
    expect(payloadOf((await client.batch([encrypt(uniqueIdentifier)]))[0]).data?.length).toBe(16);
    expect(await reason(test.as(alice).request("Get", { uniqueIdentifier }))).toBe("ObjectNotFound");
  });
});

describe("a batch is sent again", () => {
  it("where its first item was refused, and nothing came after", async () => {
    const { client, sent } = clientOf();
    const answers = await client.batch([encrypt(), createItem("after")]);
    expect(answers.map(({ resultStatus }) => resultStatus)).toEqual(["Success", "Success"]);
    expect([sent.length, await countOf("after")]).toEqual([2, 1]);
  });

  it("where what was done only reads, so that an ID Placeholder means what it did", async () => {
    const { client } = clientOf();
    const locate = item("Locate", { attributes: { name: named("attested") } });
    const [, encrypted] = await client.batch([locate, item("Encrypt", { ...encrypt().payload, ...NO_UID })]);
    expect(encrypted.resultStatus).toBe("Success");
  });

  it("where all was undone", async () => {
    const { client } = clientOf();
    const undo = { batchErrorContinuationOption: "Undo" } as const;
    const answers = await client.batch([createItem("undone"), encrypt()], undo);
    expect(answers.map(({ resultStatus }) => resultStatus)).toEqual(["Success", "Success"]);
    expect(await countOf("undone")).toBe(1);
  });
});

describe("a batch is not sent again", () => {
  it("where something was done before; what was refused can be sent by itself", async () => {
    const { client, sent } = clientOf();
    const { header, items } = await client.send([createItem("before"), encrypt(), createItem("never")]);
    expect(items.map(({ resultStatus }) => resultStatus)).toEqual([
      "Success",
      "OperationFailed",
      "OperationFailed",
    ]);
    expect(items[1].resultReason).toBe("AttestationRequired");
    expect(header.nonce?.nonceValue.length).toBe(32);
    expect(header.attestationType).toEqual(ATTESTATION_TYPES);
    expect(sent.length).toBe(1);
    await client.request("Encrypt", encrypt().payload);
    expect([await countOf("before"), await countOf("never")]).toEqual([1, 0]);
  });

  it("where something was done after", async () => {
    const { client, sent } = clientOf();
    const go = { batchErrorContinuationOption: "Continue" } as const;
    const answers = await client.batch([encrypt(), createItem("beyond")], go);
    expect(answers.map(({ resultReason }) => resultReason)).toEqual(["AttestationRequired", undefined]);
    expect([sent.length, await countOf("beyond")]).toEqual([1, 1]);
  });
});

describe("credentials", () => {
  const login = (more: object) => ({
    credentialType: "OneTimePassword" as const,
    credentialValue: { username: "otto", password: "password2", ...more },
  });

  it("are asked for each message", async () => {
    const credentials = vi.fn(() => [
      { credentialType: "UsernameAndPassword" as const, credentialValue: FRED },
    ]);
    const { client } = clientOf({ credentials });
    await client.request("Ping", {});
    expect(credentials).toHaveBeenCalledTimes(1);
    await client.request("Encrypt", {
      ...encrypt().payload,
      uniqueIdentifier: await create(client, "asked"),
    });
    expect(credentials).toHaveBeenCalledTimes(4);
  });

  it("of one use are for Login, whose Ticket serves what follows", async () => {
    const credentials = [login({ oneTimePassword: oneTimePassword(secret, new Date()) })];
    const servers = [{ host: "127.0.0.1", port: test.hsm.ttlvPort }] as const;
    const options = { servers, ca: test.pki.serverCa, ...alice };
    const first = await connectKmip({ ...options, credentials });
    const { ticket } = await first.request("Login", {});
    expect(await reason(first.request("Ping", {}))).toBe("AuthenticationNotSuccessful");
    const second = await connectKmip({
      ...options,
      credentials: async () => [{ credentialType: "Ticket", credentialValue: { ticket } }],
      attest,
    });
    const uniqueIdentifier = await create(second);
    expect((await second.request("Encrypt", encrypt(uniqueIdentifier).payload)).data?.length).toBe(16);
    expect(await reason(test.as(alice).request("Get", { uniqueIdentifier }))).toBe("ObjectNotFound");
    for (const client of [first, second]) client.close();
  });

  it("of one message take the place of the client's", async () => {
    const { client, sent } = clientOf({ credentials: [login({ oneTimePassword: "000000" })] });
    const credential = [{ credentialType: "UsernameAndPassword" as const, credentialValue: FRED }];
    await client.request("Ping", {}, { header: { authentication: { credential } } });
    expect(sent[0]!.header.authentication?.credential).toEqual(credential);
  });
});

const FRED = { username: "fred", password: "password1" };
const NO_UID = { uniqueIdentifier: undefined };
