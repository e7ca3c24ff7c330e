import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import type { LogLine } from "../log.ts";
import { type TestAuthority, testAuthority } from "../testing/client-authority.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { issueClient, type KeyAndCertificate } from "./pki.ts";

/** Authorities of the user's own, whose clients are served beside those of the HSM's. */

const ANY_USE = "2.5.29.37.0";

let test: TestHsm;
let lines: LogLine[] = [];
let first: TestAuthority;
let second: TestAuthority;
let intermediate: TestAuthority;
beforeAll(async () => {
  [first, second] = [await testAuthority("CN=First"), await testAuthority("CN=Second")];
  intermediate = await first.below("CN=Below the first");
  const clientAuthorities = [first.cert, second.cert];
  test = await testHsm({ clientAuthorities, log: (line) => lines.push(line) });
});
afterAll(() => test?.close());
// Each test has a minute's lines for itself.
beforeEach(async () => {
  await test.restart();
  lines = [];
});

const asks = (pair: KeyAndCertificate) => test.as(pair).request("Ping", {});
const isServed = (pair: KeyAndCertificate) =>
  asks(pair).then(
    () => true,
    () => false,
  );
const chained = ({ cert, key }: KeyAndCertificate, by: TestAuthority) => ({
  cert: `${cert}\n${by.cert}`,
  key,
});

async function expectRefused(pair: KeyAndCertificate, ...expected: string[]): Promise<void> {
  await expect(asks(pair)).rejects.toThrow();
  await expect.poll(() => lines.filter(({ event }) => event === "refused-connection")).not.toEqual([]);
  const codes = lines.filter(({ event }) => event === "refused-connection").map((line) => line.code);
  for (const code of codes) expect(expected).toContain(code);
}

const create = (pair: KeyAndCertificate) =>
  test.as(pair).request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      cryptographicAlgorithm: "AES",
      cryptographicLength: 256,
      cryptographicUsageMask: ["Encrypt"],
    },
  });

it("serves clients of each authority that was named, and goes on serving its own", async () => {
  for (const pair of [
    await first.issue("alice"),
    await second.issue("alice"),
    await issueClient(test.pki.dir, "alice"),
    test.pki.clients[IDENTITY.kms],
  ])
    await expect(asks(pair)).resolves.toBeDefined();
});

it("has one identity for one common name, whichever authority it is from", async () => {
  const { uniqueIdentifier } = await create(await first.issue("alice"));
  const get = async (authority: TestAuthority, name: string) =>
    test.as(await authority.issue(name)).request("Get", { uniqueIdentifier });
  await expect(get(second, "alice")).resolves.toMatchObject({ uniqueIdentifier });
  await expect(get(second, "bob")).rejects.toMatchObject({ code: "ObjectNotFound" });
});

it.each([IDENTITY.kms, IDENTITY.officer, "coffer-anything"])(
  "lets no other authority name %s",
  async (name) => {
    await expectRefused(await first.issue(name), "reserved-name");
  },
);

it("lets nobody name them by the subject of the HSM's own authority, nor through an authority below", async () => {
  const likeOwn = await testAuthority(new x509.X509Certificate(test.pki.clientCa).subject);
  await expectRefused(chained(await intermediate.issue(IDENTITY.kms), intermediate), "reserved-name");
  await test.restart({ clientAuthorities: [likeOwn.cert] });
  lines = [];
  // Of two authorities with one subject OpenSSL takes either.
  await expectRefused(await likeOwn.issue(IDENTITY.kms), "reserved-name", "foreign-authority");
});

it("takes a chain through an authority below, when the client sends it", async () => {
  const pair = await intermediate.issue("alice");
  await expect(asks(chained(pair, intermediate))).resolves.toBeDefined();
  await expectRefused(pair, "foreign-authority");
});

it("trusts an authority below by itself, and not the one above", async () => {
  await test.restart({ clientAuthorities: [intermediate.cert] });
  lines = [];
  const pair = await intermediate.issue("alice");
  expect(await isServed(pair)).toBe(true);
  expect(await isServed(chained(pair, intermediate))).toBe(true);
  await expectRefused(await first.issue("alice"), "foreign-authority");
});

it("takes a certificate for any use from an authority itself, and not through another", async () => {
  await expect(asks(await first.issue("alice", ANY_USE))).resolves.toBeDefined();
  const pair = await intermediate.issue("alice", ANY_USE);
  await expectRefused(chained(pair, intermediate), "not-for-clients");
});

it.each([
  ["its uses", new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth])],
  // Permitted: the DNS name example.com.
  [
    "its names",
    new x509.Extension("2.5.29.30", true, Buffer.from("3011a00f300d820b6578616d706c652e636f6d", "hex")),
  ],
])("holds an authority below to the limit of %s, where it checks the path itself", async (_, limit) => {
  const limited = await first.below("CN=Limited", limit);
  await test.restart({ clientAuthorities: [limited.cert] });
  lines = [];
  await expectRefused(await limited.issue("alice"), "foreign-authority", "not-for-clients");
  lines = [];
  await expectRefused(await limited.issue("alice", ANY_USE), "foreign-authority", "not-for-clients");
});
