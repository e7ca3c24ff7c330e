import { afterAll, beforeAll, expect, it } from "vitest";
import type { Attributes, KmipClient } from "#protocol/kmip/index.ts";
import { issueClient } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { AES, PAST } from "../testing/hierarchy.ts";
import { reason } from "../testing/refusal.ts";

/** Links (KMIP 2.1 §4.31 Link): how many there may be. */

let test: TestHsm;
let client: KmipClient;
beforeAll(async () => {
  test = await testHsm();
  client = test.as(await issueClient(test.pki.dir, "alice"), { major: 2, minor: 1 });
}, 30_000);
afterAll(() => test.close());

const MAX_LINKS = 1000;
type Links = NonNullable<Attributes["link"]>;
const links = (linkType: Links[number]["linkType"], count: number): Links =>
  Array.from({ length: count }, (_, i) => ({ linkType, linkedObjectIdentifier: `${linkType} ${i}` }));
const linksOf = async (uniqueIdentifier: string): Promise<Links> =>
  (await client.request("GetAttributes", { uniqueIdentifier, attributeReference: ["link"] })).attributes
    .link ?? [];
async function create(link: Links): Promise<string> {
  const { uniqueIdentifier } = await client.request("Create", {
    objectType: "SymmetricKey",
    attributes: { ...AES, cryptographicUsageMask: ["DeriveKey"], activationDate: PAST, link },
  });
  return uniqueIdentifier;
}
const derive = (uniqueIdentifier: string) =>
  client.request("DeriveKey", {
    objectType: "SymmetricKey",
    uniqueIdentifier: [uniqueIdentifier],
    derivationMethod: "HMAC",
    derivationParameters: {
      cryptographicParameters: { hashingAlgorithm: "SHA_256" },
      derivationData: Uint8Array.of(1, 2, 3),
    },
    attributes: { ...AES, cryptographicUsageMask: ["Encrypt"] },
  });

it("a key derives on when it has many links, and keeps the newest", async () => {
  const base = await create([...links("ParentLink", 3), ...links("DerivedKeyLink", MAX_LINKS)]);
  const first = await derive(base);
  const second = await derive(base);
  const now = await linksOf(base);
  const derived = now.filter(({ linkType }) => linkType === "DerivedKeyLink");
  expect(derived.length).toBe(MAX_LINKS);
  expect(derived.map(({ linkedObjectIdentifier }) => linkedObjectIdentifier)).toEqual([
    ...links("DerivedKeyLink", MAX_LINKS)
      .slice(2)
      .map(({ linkedObjectIdentifier }) => linkedObjectIdentifier),
    first.uniqueIdentifier,
    second.uniqueIdentifier,
  ]);
  expect(now.length).toBe(MAX_LINKS + 3);
  // Whose link to the base is gone is found by its own.
  expect(await linksOf(first.uniqueIdentifier)).toEqual([
    { linkType: "DerivationBaseObjectLink", linkedObjectIdentifier: base },
  ]);
});

it("a client gives an object no more links than it may have", async () => {
  expect(await reason(create(links("ParentLink", 2 * MAX_LINKS + 1)))).toBe("InvalidField");
  const uniqueIdentifier = await create(links("ParentLink", 2 * MAX_LINKS));
  const newAttribute = { link: links("ChildLink", 1) };
  expect(await reason(client.request("AddAttribute", { uniqueIdentifier, newAttribute }))).toBe(
    "InvalidField",
  );
});
