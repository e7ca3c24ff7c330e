import { afterAll, beforeAll, expect, it } from "vitest";
import { openHsm } from "#edge/hsm/client.ts";
import { type TestHsm, testHsm } from "#emulator/hsm/testing/deployment.ts";
import {
  CUSTODIANS_CA,
  IDENTITY,
  INSTANCES_CA,
  named,
  ROOT_CA,
  SIGNER,
  TRUST_LIST,
} from "#protocol/hierarchy/index.ts";
import { verifyTrustList } from "#protocol/keys/index.ts";
import { decodeRequest, encodeResponse, type KmipClient } from "#protocol/kmip/index.ts";
import { bootstrap } from "./bootstrap.ts";

const YEAR = 365 * 24 * 3600_000;
const START = Date.now();
let test: TestHsm;
let officer: KmipClient;

beforeAll(async () => {
  test = await testHsm();
  officer = test.as(IDENTITY.officer);
});
afterAll(() => test.close());

/** Bootstraps at that time and reads the list as the edge does. */
async function run(now = START) {
  const { rootKey } = await bootstrap(officer, [{ name: "acme", level: "data" }], new Date(now));
  const token = new TextDecoder().decode(await edge.opaque(TRUST_LIST));
  return verifyTrustList(token, rootKey, Math.floor(now / 1000));
}

/** The edge's client, which lives on while the officer replaces things. */
const edge = openHsm(
  {
    fetch: async (_url, { body }) => {
      const { items } = decodeRequest(new Uint8Array(body as ArrayBuffer));
      const answers = await test.as(IDENTITY.ra).batch(items);
      const header = { protocolVersion: { major: 2, minor: 1 }, timeStamp: new Date() };
      return new Response(encodeResponse({ header, items: answers }));
    },
  },
  "https://hsm.test/kmip",
);

async function find(nameValue: string): Promise<string> {
  const name = [{ nameValue, nameType: "UninterpretedTextString" as const }];
  const { uniqueIdentifier } = await officer.request("Locate", { attributes: { name } });
  expect(uniqueIdentifier).toHaveLength(1);
  return uniqueIdentifier[0]!;
}

it("keeps the trust list as it is while its keys are the same and it lasts", async () => {
  const first = await run();
  expect(first.keys.map(({ purpose }) => purpose).sort()).toEqual(["audit", "edk", "receipt", "token"]);
  expect(await run()).toEqual(first);
});

it("signs a new list with a higher serial when less than a year is left", async () => {
  const first = await run();
  expect((await run(first.exp * 1000 - YEAR)).serial).toBe(first.serial);
  const late = await run(first.exp * 1000 - YEAR + 1000);
  expect(late.serial).toBeGreaterThan(first.serial);
  expect(late.exp).toBeGreaterThan(first.exp);
  // Also when the clock was wrong and goes back.
  expect((await run(START)).serial).toBeGreaterThan(late.serial);
});

it("signs a new list when a key is another, and keeps those whose signatures are kept", async () => {
  const before = await run(START);
  for (const purpose of ["edk", "receipt"] as const) {
    for (const name of [SIGNER[purpose].key, SIGNER[purpose].publicKey]) {
      const uniqueIdentifier = await find(name);
      await officer.request("Revoke", {
        uniqueIdentifier,
        revocationReason: { revocationReasonCode: "Superseded" },
      });
      await officer.request("Destroy", { uniqueIdentifier });
    }
  }
  const after = await run(START);
  expect(after.serial).toBeGreaterThan(before.serial);
  const kids = (list: typeof after, purpose: string) =>
    list.keys.filter((key) => key.purpose === purpose).map(({ kid }) => kid);
  expect(kids(after, "receipt")).toHaveLength(1);
  expect(kids(after, "receipt")).not.toEqual(kids(before, "receipt"));
  expect(kids(after, "edk")).toHaveLength(2);
  expect(kids(after, "edk")).toContain(kids(before, "edk")[0]);
  expect(await run(START)).toEqual(after);
});

it("W9 makes what a domain signs with at the domain's own HSM, and what all go by at each", async () => {
  const [main, own] = [await testHsm(), await testHsm()];
  try {
    const [mains, owns] = [main.as(IDENTITY.officer), own.as(IDENTITY.officer)];
    const make = () =>
      bootstrap(mains, [{ name: "acme", level: "data" }], new Date(START), { ra: owns, iam: owns });
    const { rootKey } = await make();
    const namesAt = async (hsm: KmipClient) => {
      const found = [];
      for (const nameValue of [ROOT_CA, INSTANCES_CA, CUSTODIANS_CA].flatMap(({ key, certificate }) => [
        key,
        certificate,
      ])) {
        const { uniqueIdentifier = [] } = await hsm.request("Locate", {
          attributes: { name: named(nameValue) },
        });
        if (uniqueIdentifier.length > 0) found.push(nameValue);
      }
      return found;
    };
    const certificates = [ROOT_CA, INSTANCES_CA, CUSTODIANS_CA].map(({ certificate }) => certificate);
    expect((await namesAt(mains)).toSorted()).toEqual([ROOT_CA.key, ...certificates].toSorted());
    expect((await namesAt(owns)).toSorted()).toEqual(
      [INSTANCES_CA.key, CUSTODIANS_CA.key, ...certificates].toSorted(),
    );
    const readList = async (hsm: KmipClient) => {
      const { uniqueIdentifier } = await hsm.request("Locate", { attributes: { name: named(TRUST_LIST) } });
      const { object } = await hsm.request("Get", { uniqueIdentifier: uniqueIdentifier[0]! });
      return new TextDecoder().decode(object.opaqueObject?.opaqueDataValue);
    };
    const list = await readList(owns);
    expect(await readList(mains)).toBe(list);
    expect((await verifyTrustList(list, rootKey, Math.floor(START / 1000))).keys).toHaveLength(4);
    // Run again, all of it stays.
    expect(await make()).toEqual({ rootKey });
    expect(await readList(owns)).toBe(list);
  } finally {
    await main.close();
    await own.close();
  }
});
