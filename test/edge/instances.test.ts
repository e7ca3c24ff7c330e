/** What an instance at level master asks for itself, on the real edge with the real HSM. */
import { beforeAll, describe, expect, it } from "vitest";
import { Engine } from "#emulator/hsm/server/engine.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import { type TrustList, verifyMasterReceipt, verifyTrustList } from "#protocol/keys/index.ts";
import { parseCertificate } from "#protocol/pki/index.ts";
import { createDpopKey } from "#web/client/dpop.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { InstanceClient } from "../support/instance-client.ts";
import { useSystem } from "../system/index.ts";

const system = useSystem({ level: "master", otherTenants: ["lower"] });
let ann: EdgeClient;
let app: InstanceClient;
let trust: TrustList;

beforeAll(async () => {
  ann = await EdgeClient.signedIn(system, "Ann");
  app = await InstanceClient.ready(ann);
  const { chain, trust: token } = app.enrolled;
  trust = await verifyTrustList(
    token,
    parseCertificate(decodeBase64url(chain[1]!)).spki,
    seconds(Date.now()),
  );
});

/** KMIP's operations Get and Sign, in a request. */
const GET = Buffer.from("42005c05000000040000000a", "hex");
const SIGN = Buffer.from("42005c050000000400000021", "hex");

/** How many requests for keys, and of any kind but signing, the KMS sends to the HSM while `work` goes on. */
async function counted<T>(work: () => Promise<T>): Promise<{ result: T; gets: number; others: number }> {
  const { serve } = Engine.prototype;
  const count = { gets: 0, others: 0 };
  Engine.prototype.serve = function (bytes, origin) {
    const asked = Buffer.from(bytes);
    if (origin.identity === IDENTITY.kms && asked.includes(GET)) count.gets++;
    else if (origin.identity === IDENTITY.kms && !asked.includes(SIGN)) count.others++;
    return serve.call(this, bytes, origin);
  };
  try {
    return { result: await work(), ...count };
  } finally {
    Engine.prototype.serve = serve;
  }
}

type Released = { wrappedKey: string; receipt: string };
const newChallenge = () => encodeBase64url(crypto.getRandomValues(new Uint8Array(32)));
async function masterKey(by: InstanceClient, challenge = newChallenge()) {
  const released = json<Released>(await by.rest("POST", "/instances/master-key", { challenge }));
  const recipient = await digest(decodeBase64url(by.enrolled.wrappingCertificate));
  const wrappedKey = decodeBase64url(released.wrappedKey);
  const awaited = { wrappedKey, recipient, tenant: "development", challenge, now: seconds(Date.now()) };
  return { receipt: await verifyMasterReceipt(released.receipt, trust, awaited), wrappedKey };
}

describe("a token of an instance (W9)", () => {
  it("W9 is given for a private-key JWT of its identity key, on the vault's origin alone", async () => {
    const answer = await app.askToken(await app.assertion());
    expect(json(answer)).toMatchObject({ token_type: "DPoP", expires_in: 600 });
    expect(answer.headers["cache-control"]).toBe("no-store");
    const asCustodian = Object.assign(Object.create(Object.getPrototypeOf(ann)), ann, {
      key: app.key,
      tokens: { ...ann.tokens, access_token: app.token },
    }) as EdgeClient;
    expect(problem(await asCustodian.rest("GET", "/ra/instances"))).toBe("401 invalid-token");
    const asInstance = Object.assign(Object.create(Object.getPrototypeOf(app)), app, {
      key: ann.key,
      token: ann.tokens.access_token,
    }) as InstanceClient;
    expect(problem(await asInstance.rest("GET", `/instances/accounts/${ann.account}/key`))).toBe(
      "401 invalid-token",
    );
  });

  it("W9 is given for an assertion once", async () => {
    const assertion = await app.assertion();
    const answers = await Promise.all(Array.from({ length: 5 }, () => app.askToken(assertion)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401, 401]);
  });

  it("W9 is refused for what the assertion must not say", async () => {
    const now = seconds(Date.now());
    for (const change of [
      { aud: system.appOrigin },
      { iss: "another" },
      { iss: "another", sub: "another" },
      { exp: now + 3600 },
      { iat: now - 3600, exp: now - 3540 },
      { iat: now + 3600, exp: now + 3660 },
      { custodian: "CN=nobody,OU=http://localhost:1,O=development" },
      { jti: "short" },
      { more: 1 },
    ])
      expect(problem(await app.askToken(await app.assertion(change))), JSON.stringify(change)).toBe(
        "400 invalid-client",
      );
    const another = { kid: encodeBase64url(new Uint8Array(32)) };
    expect(problem(await app.askToken(await app.assertion({}, another)))).toBe("400 invalid-client");
    // Another key for the proof than for the assertion, and another key for both.
    const stranger = await createDpopKey();
    expect(problem(await app.askToken(await app.assertion(), stranger))).toBe("400 invalid-client");
    const forged = Object.assign(Object.create(Object.getPrototypeOf(app)), app, { key: stranger });
    expect(problem(await forged.askToken(await forged.assertion()))).toBe("400 invalid-client");
  });

  it("W9 is refused to an instance that was revoked, and to one below level account", async () => {
    const second = await InstanceClient.ready(ann);
    const { instance } = second.enrolled;
    expect((await ann.rest("DELETE", `/ra/instances/${instance}`)).status).toBe(204);
    expect(problem(await second.askToken(await second.assertion()))).toBe("403 forbidden");
    const bob = await EdgeClient.signedIn(system.tenant("lower"), "Bob");
    const lower = await InstanceClient.enrolled(bob);
    expect(problem(await lower.askToken(await lower.assertion()))).toBe("403 forbidden");
  });

  it("W9 is refused once the custodian has signed out", async () => {
    const carol = await EdgeClient.signedIn(system, "Carol");
    const hers = await InstanceClient.ready(carol);
    expect((await carol.vaultPost("/sign-out", {})).status).toBe(204);
    expect(problem(await hers.askToken(await hers.assertion()))).toBe("403 forbidden");
  });
});

describe("Enc(master)", () => {
  it("W6 is encrypted to the instance's own wrapping key, with a receipt for its challenge, and the same key for each instance", async () => {
    const second = await InstanceClient.ready(ann);
    const opened = [app, second].map(async (by) => {
      const { wrappedKey, receipt } = await masterKey(by);
      const { privateKey } = by.keys.wrapping;
      const raw = new Uint8Array(await crypto.subtle.decrypt("RSA-OAEP", privateKey, wrappedKey));
      return { length: raw.length, digest: await digest(raw), keyId: receipt.keyId };
    });
    const [first, other] = await Promise.all(opened);
    expect(first).toEqual(other);
    expect(first!.length).toBe(32);
  });

  it("W3, W8 is asked of the HSM once for fifty who ask together, and not again while it is kept", async () => {
    const third = await InstanceClient.ready(ann);
    // The trust list is read now and then.
    await masterKey(app);
    const cold = await counted(() => Promise.all(Array.from({ length: 50 }, () => masterKey(third))));
    expect(cold.gets).toBe(1);
    const warm = await counted(() => masterKey(third));
    expect([warm.gets, warm.others]).toEqual([0, 0]);
    expect(warm.result.wrappedKey).toEqual(cold.result[0]!.wrappedKey);
    expect(new Set(cold.result.map(({ wrappedKey }) => encodeBase64url(wrappedKey))).size).toBe(1);
  });

  it("W3 is found in the HSM, as it was, after the KMS has forgotten it", async () => {
    const before = (await masterKey(app)).wrappedKey;
    await system.restart();
    await app.authenticate();
    const again = await masterKey(app);
    expect(again.wrappedKey).toEqual(before);
  });

  it("W12 is given to a revoked instance no more", async () => {
    const fourth = await InstanceClient.ready(ann);
    await masterKey(fourth);
    await ann.rest("DELETE", `/ra/instances/${fourth.enrolled.instance}`);
    const challenge = newChallenge();
    expect(problem(await fourth.rest("POST", "/instances/master-key", { challenge }))).toBe(
      "403 not-recipient",
    );
    expect(problem(await app.rest("POST", "/instances/master-key", { challenge: "short" }))).toBe(
      "400 bad-request",
    );
  });
});
