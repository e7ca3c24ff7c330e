/** `coffer hsm` with principals and roots of attestation, as people start it, and KMIP clients of it. */

import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeEvidence, makePlatform, type Platform } from "#emulator/enclave/index.ts";
import { ENCLAVE_EVIDENCE } from "#emulator/hsm/node.ts";
import type { ConnectedKmipClient, KmipConnectOptions } from "#kmip-node/index.ts";
import { connectKmip, hashedPassword } from "#kmip-node/index.ts";
import { IDENTITY, POLICY, policy } from "#protocol/hierarchy/index.ts";
import type { Attributes, Credential } from "#protocol/kmip/index.ts";
import { type Command, freePorts, run, start } from "./command.ts";

let folder: string;
let platform: Platform;
const file = (name: string) => join(folder, name);
const principal = (input: string, ...args: string[]) => run(["hsm", "principal", ...args], folder, input);
const FILE = ".coffer/kmip/principals.json";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "coffer-cli-hsm-"));
  platform = await makePlatform(new Date());
  writeFileSync(file("roots.pem"), platform.root);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("coffer hsm principal", () => {
  it("keeps a salted slow hash of the password that comes on standard input, for its owner's eyes", async () => {
    const { code, stdout, stderr } = await principal("pass word\n", "fred");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`fred is in ${file(FILE)}`);
    const text = readFileSync(file(FILE), "utf8");
    expect(text).not.toContain("pass word");
    expect(JSON.parse(text)).toEqual({
      principals: [{ name: "fred", password: expect.stringMatching(/^scrypt\$16384\$8\$1\$/) }],
    });
    expect(statSync(file(FILE)).mode & 0o777).toBe(0o600);
  });

  it("puts nobody in the place of another without --force", async () => {
    const before = readFileSync(file(FILE), "utf8");
    const refused = await principal("other", "fred");
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("--force");
    expect(readFileSync(file(FILE), "utf8")).toBe(before);
    expect(await principal("password1", "fred", "--force")).toMatchObject({ code: 0, stderr: "" });
    expect(readFileSync(file(FILE), "utf8")).not.toBe(before);
    expect(JSON.parse(readFileSync(file(FILE), "utf8")).principals).toHaveLength(1);
  });

  it("makes entries of every kind", async () => {
    expect(await principal("password2", "hash", "--kind", "hashed-password")).toMatchObject({ code: 0 });
    const device = [
      "--kind",
      "device",
      "--device",
      "deviceSerialNumber=A=1",
      "--device",
      "networkIdentifier=n",
    ];
    expect(await principal("password3", "tape", ...device)).toMatchObject({ code: 0 });
    const { stdout } = await principal("password4", "otto", "--kind", "one-time-password");
    expect(stdout).toMatch(/otpauth:\/\/totp\/Coffer:otto\?secret=[A-Z2-7]{32}&issuer=Coffer\n$/);
    const { principals } = JSON.parse(readFileSync(file(FILE), "utf8"));
    expect(principals.map((entry: object) => Object.keys(entry))).toEqual([
      ["name", "password"],
      ["name", "password", "clientHash"],
      ["name", "password", "device"],
      ["name", "password", "oneTimeSecret"],
    ]);
  });

  it("puts principals, and whom certificates name, in groups", async () => {
    const path = ["--principals", "groups.json"];
    const groups = ["--group", "operators", "--group", "auditors"];
    expect(await principal("password1", "bob", ...groups, ...path)).toMatchObject({ code: 0, stderr: "" });
    const certificate = ["--kind", "certificate", "--group", "auditors"];
    expect(await principal("", "bob", ...certificate, ...path)).toMatchObject({ code: 0, stderr: "" });
    const { code, stderr } = await principal("", "bob", ...certificate, ...path);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining("--force") });
    expect(JSON.parse(readFileSync(file("groups.json"), "utf8")).principals).toEqual([
      { name: "bob", groups: ["operators", "auditors"], password: expect.stringMatching(/^scrypt/) },
      { name: "bob", kind: "certificate", groups: ["auditors"] },
    ]);
  });

  it.each([
    ["", ["x", "--kind", "certificate"], 2, "--kind certificate takes --group NAME"],
    ["", ["ä", "--kind", "certificate", "--group", "g"], 2, "'ä' cannot be a certificate's common name"],
    ["x", ["x", "--group", ""], 2, "the groups are not names"],
    ["", ["x"], 2, "no password on standard input"],
    ["a\nb\n", ["x"], 2, "several lines"],
    ["x".repeat(1025), ["x"], 2, "longer than 1024"],
    ["x", [], 2, "name one principal"],
    ["x", ["x", "password"], 2, "name one principal"],
    ["x", ["x", "--kind", "magic"], 2, "--kind takes password, "],
    ["x", ["x", "--kind", "device"], 2, "--device FIELD=TEXT"],
    ["x", ["x", "--device", "deviceSerialNumber=1"], 2, "--device FIELD=TEXT"],
    ["x", ["x", "--kind", "device", "--device", "colour=red"], 2, "deviceSerialNumber, "],
    ["x", [IDENTITY.kms], 2, "'coffer-kms' cannot be"],
  ])("%j for %j ends with %i and one sentence, and writes nothing", async (input, args, code, sentence) => {
    const before = readFileSync(file(FILE), "utf8");
    const outcome = await principal(input, ...args);
    expect(outcome.stderr).toContain(sentence);
    expect(outcome.stderr).not.toMatch(/^ +at /m);
    expect(outcome).toMatchObject({ code, stdout: "" });
    expect(readFileSync(file(FILE), "utf8")).toBe(before);
  });
});

describe("coffer hsm", () => {
  let server: Command;
  let options: KmipConnectOptions;
  const clients: ConnectedKmipClient[] = [];

  beforeAll(async () => {
    const ports = await freePorts("hsm");
    const shared = { SYMMETRIC_KEY: { LOCATE: "ALLOW_ALL", GET: "ALLOW_ALL" } };
    writeFileSync(file("shared.json"), JSON.stringify({ shared: { groups: { operators: shared } } }), {
      mode: 0o644,
    });
    expect(await principal("password5", "nina", "--group", "operators")).toMatchObject({ code: 0 });
    server = start(
      [
        ...["hsm", "--client", "alice", "--attestation-root", "roots.pem", "--policies", "shared.json"],
        ...["--structured-keys", "alice", "--lease-time", "600", ...ports],
      ],
      folder,
    );
    await server.says("The HSM emulator is running");
    const pem = (name: string) => readFileSync(file(join(".coffer/kmip/pki", name)), "utf8");
    options = {
      servers: [{ host: "127.0.0.1", port: Number(ports[1]) }],
      ca: pem("server-ca.pem"),
      cert: pem("client-alice.pem"),
      key: pem("client-alice.key"),
    };
  });
  afterAll(async () => {
    for (const client of clients) client.close();
    server?.process.kill("SIGINT");
    await server?.ended;
  });

  async function clientWith(
    credential?: Credential,
    more: Partial<KmipConnectOptions> = {},
  ): Promise<ConnectedKmipClient> {
    const credentials = credential ? { credentials: [credential] } : {};
    const client = await connectKmip({ ...options, ...credentials, ...more });
    clients.push(client);
    return client;
  }

  it("gives a wrapped key as a structure to a client that reads no other", async () => {
    const alice = await clientWith();
    const made = (mask: "Encrypt" | "WrapKey") =>
      alice.request("Create", {
        objectType: "SymmetricKey",
        attributes: {
          cryptographicAlgorithm: "AES",
          cryptographicLength: 256,
          cryptographicUsageMask: [mask],
          activationDate: new Date(0),
        },
      });
    const [key, wrapping] = [await made("Encrypt"), await made("WrapKey")];
    const { object } = await alice.request("Get", {
      uniqueIdentifier: key.uniqueIdentifier,
      keyWrappingSpecification: {
        wrappingMethod: "Encrypt",
        encryptionKeyInformation: {
          uniqueIdentifier: wrapping.uniqueIdentifier,
          cryptographicParameters: { blockCipherMode: "NISTKeyWrap" },
        },
        encodingOption: "NoEncoding",
      },
    });
    const { keyValue } = object.symmetricKey!.keyBlock;
    expect(keyValue).toEqual({ keyMaterial: expect.any(Uint8Array) });
  });

  it("leases for as long as it was told", async () => {
    const alice = await clientWith();
    const key = await alice.request("Create", {
      objectType: "SymmetricKey",
      attributes: { cryptographicAlgorithm: "AES", cryptographicUsageMask: ["Encrypt"] },
    });
    expect(await alice.request("ObtainLease", key)).toMatchObject({ leaseTime: 600 });
  });

  it("tells who may name themselves, and how many roots it believes", async () => {
    await server.says("fred, hash, tape, otto, nina");
    await server.says("operation policies    default, public, shared");
    await server.says("roots of attestation  1");
  });

  it.each([
    [
      "fred",
      { credentialType: "UsernameAndPassword", credentialValue: { username: "fred", password: "password1" } },
    ],
    [
      "tape",
      {
        credentialType: "Device",
        credentialValue: { deviceSerialNumber: "A=1", networkIdentifier: "n", password: "password3" },
      },
    ],
    [
      "hash",
      (() => {
        const timeStamp = new Date();
        return {
          credentialType: "HashedPassword",
          credentialValue: {
            username: "hash",
            timeStamp,
            hashingAlgorithm: "SHA_256",
            hashedPassword: hashedPassword("SHA_256", "hash", "password2", timeStamp),
          },
        };
      })(),
    ],
  ] satisfies [string, Credential][])(
    "takes %s by credentials, with objects of their own",
    async (_, credential) => {
      const client = await clientWith(credential);
      const attributes: Attributes = {
        cryptographicAlgorithm: "AES",
        cryptographicLength: 256,
        cryptographicUsageMask: ["Encrypt"],
      };
      const { uniqueIdentifier } = await client.request("Create", { objectType: "SymmetricKey", attributes });
      const alice = await clientWith();
      await expect(alice.request("Get", { uniqueIdentifier })).rejects.toMatchObject({
        code: "ObjectNotFound",
      });
      await expect(client.request("Get", { uniqueIdentifier })).resolves.toMatchObject({ uniqueIdentifier });
    },
  );

  it("shares with a group what names a policy that does", async () => {
    const alice = await clientWith(undefined, { versions: [{ major: 1, minor: 4 }] });
    const { uniqueIdentifier } = await alice.request("Create", {
      objectType: "SymmetricKey",
      attributes: {
        cryptographicAlgorithm: "AES",
        cryptographicLength: 256,
        cryptographicUsageMask: ["Encrypt"],
        operationPolicyName: "shared",
      },
    });
    const user = (username: string, given: string) =>
      clientWith({ credentialType: "UsernameAndPassword", credentialValue: { username, password: given } });
    const nina = await user("nina", "password5");
    await expect(nina.request("Get", { uniqueIdentifier })).resolves.toMatchObject({ uniqueIdentifier });
    const fred = await user("fred", "password1");
    await expect(fred.request("Get", { uniqueIdentifier })).rejects.toMatchObject({ code: "ObjectNotFound" });
  });

  it("refuses a wrong password", async () => {
    const credentialValue = { username: "fred", password: "pass word" };
    const client = await clientWith({ credentialType: "UsernameAndPassword", credentialValue });
    await expect(client.request("Ping", {})).rejects.toMatchObject({ code: "AuthenticationNotSuccessful" });
  });

  it("believes evidence under its roots", async () => {
    const client = await clientWith(undefined, {
      attest: async ({ nonceValue: nonce }) => ({
        attestationType: ENCLAVE_EVIDENCE,
        attestationAssertion: makeEvidence(platform, {
          nonce,
          client: "alice",
          measurement: "ab".repeat(32),
          now: new Date(),
        }),
      }),
    });
    const attributes: Attributes = {
      cryptographicAlgorithm: "AES",
      cryptographicLength: 256,
      cryptographicUsageMask: ["Encrypt"],
      vendorAttributes: [policy(POLICY.attestation, "EAT")],
    };
    const { uniqueIdentifier } = await client.request("Create", { objectType: "SymmetricKey", attributes });
    await expect(client.request("Get", { uniqueIdentifier })).resolves.toMatchObject({ uniqueIdentifier });
    const plain = await clientWith();
    await expect(plain.request("Get", { uniqueIdentifier })).rejects.toMatchObject({
      code: "PermissionDenied",
    });
  });
});

describe("what coffer hsm does not start with", () => {
  const starts = async (...args: string[]) => run(["hsm", "--dir", "none", ...args], folder);
  const entries = (...principals: unknown[]) => JSON.stringify({ principals });

  it("a file of principals with something wrong in it", async () => {
    writeFileSync(file("wrong.json"), entries({ name: "fred", password: "password1" }), { mode: 0o600 });
    const { code, stdout, stderr } = await starts("--principals", "wrong.json");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("entry 1 ('fred'): the password is not a scrypt hash");
    expect(stderr).toContain("`node cli/coffer.js hsm principal NAME` makes entries");
  });

  it("a file of principals that is not there, or that others can read", async () => {
    expect((await starts("--principals", "nowhere.json")).stderr).toContain("there is no such file");
    writeFileSync(file("open.json"), entries());
    chmodSync(file("open.json"), 0o644);
    const { code, stderr } = await starts("--principals", "open.json");
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `${file("open.json")} can be read by others: chmod 600 ${file("open.json")}\n`,
    });
  });

  it("a file of operation policies with something wrong in it", async () => {
    const policies = (value: unknown) =>
      writeFileSync(file("policies.json"), JSON.stringify(value), { mode: 0o600 });
    policies({ team: { groups: { ops: { SYMMETRIC_KEY: { GET: "ALLOW" } } } } });
    const outcome = await starts("--policies", "policies.json");
    expect(outcome).toMatchObject({ code: 1, stdout: "" });
    expect(outcome.stderr).toContain(
      `${file("policies.json")}: policy 'team', group 'ops', SYMMETRIC_KEY, GET: it takes ALLOW_ALL, `,
    );
    policies({ default: { preset: {} } });
    expect((await starts("--policies", "policies.json")).stderr).toContain("'default': it is built in");
    expect((await starts("--policies", "nowhere.json")).stderr).toContain("there is no such file");
    policies({});
    chmodSync(file("policies.json"), 0o666);
    expect((await starts("--policies", "policies.json")).stderr).toContain(
      "can be written by others: chmod go-w",
    );
  });

  it("roots that are no certificates", async () => {
    writeFileSync(file("key.pem"), platform.key);
    writeFileSync(file("leaf.pem"), platform.certificate);
    const old = await makePlatform(new Date(Date.now() - 400 * 24 * 3600_000));
    writeFileSync(file("old.pem"), platform.root + old.root);
    writeFileSync(file("bad.pem"), platform.root.replace("M", "A"));
    for (const [name, sentence] of [
      ["nowhere.pem", "the file cannot be read"],
      ["key.pem", "there is no certificate in it"],
      ["leaf.pem", "certificate 1 is not an authority's"],
      ["old.pem", "certificate 2 ended on "],
      ["bad.pem", "certificate 1 is damaged"],
    ] as const) {
      const outcome = await starts("--attestation-root", name);
      expect(outcome.stderr).toContain(sentence);
      expect(outcome.stderr).toContain(`--attestation-root ${name}`);
      expect(outcome).toMatchObject({ code: 1, stdout: "" });
    }
  });

  it("help tells of both", async () => {
    const { code, stdout } = await run(["hsm", "--help"], tmpdir());
    expect(code).toBe(0);
    for (const word of [
      "--principals FILE",
      "--policies FILE",
      "--attestation-root FILE",
      "coffer hsm principal NAME",
      "--group NAME",
      "Examples: ",
    ])
      expect(stdout).toContain(word);
  });
});
