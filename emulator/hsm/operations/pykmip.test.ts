import { afterAll, beforeAll, expect, it } from "vitest";
import type { Attributes, KmipClient, RequestItem } from "#protocol/kmip/index.ts";
import { issueClient } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { AES } from "../testing/hierarchy.ts";
import { refused } from "../testing/refusal.ts";

let test: TestHsm;
beforeAll(async () => {
  test = await testHsm({ pykmip: ["pykmip"] });
}, 30_000);
afterAll(() => test.close());

const as = async (name: string, minor = 4) =>
  test.as(await issueClient(test.pki.dir, name), { major: 1, minor });
const name: Attributes["name"] = [{ nameValue: "Symmetric Key", nameType: "UninterpretedTextString" }];
const create = async (client: KmipClient, more: Attributes) => {
  const attributes = { ...AES, cryptographicUsageMask: ["Encrypt" as const], ...more };
  return (await client.request("Create", { objectType: "SymmetricKey", attributes })).uniqueIdentifier;
};

it("names are unique for everybody but clients that are named as PyKMIP's", async () => {
  const [pykmip, other] = [await as("pykmip"), await as("other")];
  const first = await create(pykmip, { name });
  const second = await create(pykmip, { name });
  const { uniqueIdentifier } = await pykmip.request("Locate", { attributes: { name } });
  expect(uniqueIdentifier).toEqual([second, first]);
  await create(other, { name });
  await refused(create(other, { name })).toBe("InvalidField");
  // One object has no name twice.
  await refused(create(pykmip, { name: [...name, ...name] })).toBe("InvalidField");
});

it("names are no more unique in batches that are to be undone, side by side", async () => {
  const clients = await Promise.all([1, 2].map(() => as("pykmip")));
  const attributes = { ...AES, cryptographicUsageMask: ["Encrypt" as const], name };
  const batch: RequestItem[] = [
    { operation: "Create", payload: { objectType: "SymmetricKey", attributes } },
    {
      operation: "CreateKeyPair",
      payload: {
        commonAttributes: {
          cryptographicAlgorithm: "RSA",
          cryptographicLength: 2048,
          cryptographicUsageMask: ["Sign"],
        },
      },
    },
  ];
  const ends = await Promise.all(
    clients.map((client) => client.batch(batch, { batchErrorContinuationOption: "Undo" })),
  );
  expect(ends.flat().map(({ resultStatus }) => resultStatus)).toEqual(ends.flat().map(() => "Success"));
});

it("is told all attributes by name, as everybody is", async () => {
  const pykmip = await as("pykmip");
  const uniqueIdentifier = await create(pykmip, {});
  const all = await pykmip.request("GetAttributes", { uniqueIdentifier, attributeReference: [] });
  expect(all.attributes.extractable).toBe(undefined);
  const named = await pykmip.request("GetAttributes", {
    uniqueIdentifier,
    attributeReference: ["extractable"],
  });
  expect(named.attributes.extractable).toBe(true);
});
