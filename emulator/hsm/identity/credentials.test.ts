import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientHashes, serverHashedPassword } from "#kmip-node/client-hash.ts";
import { hashedPassword } from "#kmip-node/index.ts";
import { IDENTITIES, IDENTITY } from "#protocol/hierarchy/index.ts";
import { createKmipClient, item, type KmipClient, type RequestHeader } from "#protocol/kmip/index.ts";
import { type TestHsm, testHsm, WAYS, type Way } from "../testing/deployment.ts";
import { AES } from "../testing/hierarchy.ts";
import { reason } from "../testing/refusal.ts";
import { oneTimePassword } from "./one-time-password.ts";
import { hashPassword, isPassword } from "./password-hash.ts";
import { issueClient } from "./pki.ts";
import { Principals, principalOf } from "./principals.ts";

/** Credentials in the message: who they make of the client, and each way in which they are refused. */

type Credentials = NonNullable<NonNullable<RequestHeader["authentication"]>["credential"]>;
const V2_1 = { major: 2, minor: 1 };
const V1_4 = { major: 1, minor: 4 };
const NOT = "AuthenticationNotSuccessful";

const secret = new Uint8Array(20).fill(7);
const device = { deviceSerialNumber: "serNum123", machineIdentifier: "machine1" };
const principals = [
  principalOf("fred", "password1", { hashed: true }),
  principalOf("otto", "password2", { oneTimeSecret: secret }),
  principalOf("tape", "password3", { device, hashed: true }),
  principalOf("both", "password4", {
    device: { deviceSerialNumber: "serNum124" },
    oneTimeSecret: secret,
    hashed: true,
  }),
];

let test: TestHsm;
const lines: Readonly<Record<string, unknown>>[] = [];
let now = new Date();
const later = (seconds: number) => {
  now = new Date(now.getTime() + seconds * 1000);
};
beforeAll(async () => {
  test = await testHsm({ principals, now: () => now, log: (line) => lines.push(line) });
}, 30_000);
afterAll(() => test.close());

const header = (...credential: Credentials) => ({ header: { authentication: { credential } } });
const password = (username: string, given: string): Credentials[number] => ({
  credentialType: "UsernameAndPassword",
  credentialValue: { username, password: given },
});
const oneTime = (code: string, given = "password2", username = "otto"): Credentials[number] => ({
  credentialType: "OneTimePassword",
  credentialValue: { username, password: given, oneTimePassword: code },
});
const hashed = (at: Date, given = "password1", username = "fred"): Credentials[number] => ({
  credentialType: "HashedPassword",
  credentialValue: {
    username,
    timeStamp: at,
    hashingAlgorithm: "SHA_256",
    hashedPassword: hashedPassword("SHA_256", username, given, at),
  },
});

/** A client of its own certificate, so that its failures are its own. */
let made = 0;
async function stranger(version = V2_1, way: Way = WAYS[0]): Promise<KmipClient> {
  const pair = await issueClient(test.pki.dir, `stranger${made++}`);
  return createKmipClient({ exchange: test.exchange(pair, way), encoding: way.encoding, version });
}
it("the log says who asked, and on whose channel", async () => {
  const client = await stranger();
  lines.length = 0;
  await client.request("Ping", {}, header(password("fred", "password1")));
  await client.request("Ping", {});
  const channel = `stranger${made - 1}`;
  expect(lines).toMatchObject([{ identity: "·fred", channel }, { identity: channel }]);
  expect(lines[1]).not.toHaveProperty("channel");
  expect(JSON.stringify(lines)).not.toContain("password1");
});

const ping = (client: KmipClient, ...credentials: Credentials) =>
  reason(client.request("Query", { queryFunction: ["QueryOperations"] }, header(...credentials)));

describe.each(WAYS)("a credential gives the identity, over $transport in $encoding:", (way) => {
  it.each([V1_4, V2_1])("by user name and password (%o)", async (version) => {
    const [one, other] = [await stranger(version, way), await stranger(version, way)];
    const as = header(password("fred", "password1"));
    const attributes = { ...AES, cryptographicUsageMask: ["Encrypt" as const] };
    const { uniqueIdentifier } = await one.request("Create", { objectType: "SymmetricKey", attributes }, as);
    expect(await reason(other.request("Get", { uniqueIdentifier }, as))).toBe("Success");
    expect(await reason(one.request("Get", { uniqueIdentifier }))).toMatch(/NotFound$/);
  });

  it.each([V1_4, V2_1])("by device, all of whose marks are right (%o)", async (version) => {
    const of = (value: object): Credentials[number] => ({
      credentialType: "Device",
      credentialValue: { ...device, password: "password3", ...value },
    });
    const client = await stranger(version, way);
    expect(await ping(client, of({}))).toBe("Success");
    expect(await ping(client, of({ mediaIdentifier: "any" }))).toBe("Success");
    expect(await ping(client, of({ machineIdentifier: "machine2" }))).toBe(NOT);
    expect(await ping(client, of({ machineIdentifier: undefined }))).toBe(NOT);
    expect(await ping(client, of({ password: "password1" }))).toBe(NOT);
    expect(await ping(client, of({ password: undefined }))).toBe(NOT);
  });

  it("by one-time password, once, and with the password", async () => {
    const client = await stranger(V2_1, way);
    later(60);
    expect(await ping(client, oneTime(oneTimePassword(secret, now)))).toBe("Success");
    expect(await ping(client, oneTime(oneTimePassword(secret, now)))).toBe(NOT);
    later(60);
    const code = oneTimePassword(secret, now);
    expect(await ping(client, oneTime(code, "wrong"))).toBe(NOT);
    expect(await ping(client, oneTime(code))).toBe(NOT);
    later(60);
    expect(await ping(client, oneTime(oneTimePassword(secret, new Date(now.getTime() - 90_000))))).toBe(NOT);
    expect(await ping(client, password("otto", "password2"))).toBe(NOT);
    expect(await ping(client, oneTime(oneTimePassword(secret, now)))).toBe("Success");
  });

  it("by hashed password, in its time, and the server answers with its own", async () => {
    const client = await stranger(V2_1, way);
    const timeStamp = new Date(Math.floor(now.getTime() / 1000) * 1000);
    const { header: answer } = await client.send([item("Ping", {})], header(hashed(timeStamp)));
    const kept = clientHashes("fred", "password1").SHA_256;
    expect(answer.serverHashedPassword).toEqual(serverHashedPassword("SHA_256", kept, timeStamp));
    expect(await ping(client, hashed(new Date(timeStamp.getTime() - 301_000)))).toBe(NOT);
    expect(await ping(client, hashed(new Date(timeStamp.getTime() + 302_000)))).toBe(NOT);
    expect(await ping(client, hashed(timeStamp, "password2"))).toBe(NOT);
    const md5 = hashed(timeStamp);
    md5.credentialValue.hashingAlgorithm = "MD5";
    expect(await ping(client, md5)).toBe(NOT);
  });
});

describe("a credential is refused", () => {
  it("with the same words, whatever is wrong with it", async () => {
    const client = await stranger();
    const told = async (...credentials: Credentials) =>
      client.request("Ping", {}, header(...credentials)).then(
        () => "Success",
        (error: Error) => error.message,
      );
    const answers = [
      await told(password("fred", "password2")),
      await told(password("nobody", "password1")),
      await told({ credentialType: "UsernameAndPassword", credentialValue: { username: "fred" } }),
      await told({ credentialType: "Device", credentialValue: { deviceSerialNumber: "serNum123" } }),
      await told(password("fred", "password1"), password("otto", "password2")),
      await told(),
      await told({ credentialType: 0x80000009, credentialValue: {} }),
    ];
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).not.toBe("Success");
  });

  it("when it shows less than its principal has: marks of a device, a one-time password", async () => {
    const client = await stranger();
    const byDevice = (deviceSerialNumber: string, given: string): Credentials[number] => ({
      credentialType: "Device",
      credentialValue: { ...device, deviceSerialNumber, password: given },
    });
    const timeStamp = new Date(Math.floor(now.getTime() / 1000) * 1000);
    expect(await ping(client, byDevice("serNum123", "password3"))).toBe("Success");
    expect(await ping(client, password("tape", "password3"))).toBe(NOT);
    expect(await ping(client, hashed(timeStamp, "password3", "tape"))).toBe(NOT);
    expect(await ping(client, password("both", "password4"))).toBe(NOT);
    expect(await ping(client, hashed(timeStamp, "password4", "both"))).toBe(NOT);
    expect(await ping(client, byDevice("serNum124", "password4"))).toBe(NOT);
    const code = oneTimePassword(secret, now);
    expect(await ping(client, oneTime(code, "password4", "both"))).toBe("Success");
  });

  it("over the certificate of a domain, right or wrong, and cannot name one", async () => {
    for (const name of IDENTITIES)
      for (const credential of [
        password("fred", "password1"),
        password(name, "x"),
        { credentialType: "Attestation" as const, credentialValue: {} },
      ])
        expect(await ping(test.as(name), credential)).toBe(NOT);
    const client = await stranger();
    expect(await ping(client, password(IDENTITY.kms, "password1"))).toBe(NOT);
    for (const name of [...IDENTITIES, "COFFER-kms", "coffer-new"])
      expect(() => new Principals([principalOf(name, "password")])).toThrow(TypeError);
  });

  it("after eight failures, for five minutes, to that certificate alone", async () => {
    const [guesser, other] = [await stranger(), await stranger()];
    const guesses = Array.from({ length: 12 }, (_, i) => ping(guesser, password("fred", `guess${i}`)));
    expect(new Set(await Promise.all(guesses))).toEqual(new Set([NOT]));
    expect(await ping(guesser, password("fred", "password1"))).toBe(NOT);
    expect(await reason(guesser.request("Ping", {}))).toBe("Success");
    expect(await ping(other, password("fred", "password1"))).toBe("Success");
    later(300);
    expect(await ping(guesser, password("fred", "password1"))).toBe("Success");
  });
});

describe("passwords at rest", () => {
  it("are scrypt hashes with a salt each", async () => {
    const [one, other] = [hashPassword("secret"), hashPassword("secret")];
    expect(one).not.toBe(other);
    expect(one).toMatch(/^scrypt\$16384\$8\$1\$/);
    expect([await isPassword(one, "secret"), await isPassword(one, "Secret")]).toEqual([true, false]);
    expect(await isPassword("scrypt$1$1$1$AAAA$AAAA", "")).toBe(false);
  });

  it("one-time passwords are those of RFC 6238", () => {
    const key = new TextEncoder().encode("12345678901234567890");
    expect(oneTimePassword(key, new Date(59_000))).toBe("287082");
    expect(oneTimePassword(key, new Date(1_111_111_109_000))).toBe("081804");
  });
});
