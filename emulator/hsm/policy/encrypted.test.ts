import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  encryptedDataKeyName,
  encryptedMasterKeyName,
  IDENTITY,
  masterKeyName,
  named,
  POLICY,
  policy,
  recipientNames,
  TO_RECIPIENT,
} from "#protocol/hierarchy/index.ts";
import { item, type KmipClient, type OperationName, type RequestPayload } from "#protocol/kmip/index.ts";
import { issueClient } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import {
  AES,
  aesKw,
  type Bytes,
  createData,
  type Hierarchy,
  keyBytes,
  oaep,
  PAST,
  testHierarchy,
  wrappedImport,
} from "../testing/hierarchy.ts";
import { everyOperation } from "../testing/operations.ts";
import { allHidden, denied, refused } from "../testing/refusal.ts";

/** Keys that the HSM keeps as they were wrapped: Enc(data), Enc(master) (W3, W8). */

let test: TestHsm;
let h: Hierarchy;
let wrapped: Bytes;
let user: KmipClient;

beforeAll(async () => {
  test = await testHsm();
  h = await testHierarchy(test);
  user = test.as(await issueClient(test.pki.dir, "user"));
  wrapped = keyBytes(
    await h.kms.request("Get", { uniqueIdentifier: h.data, keyWrappingSpecification: aesKw(h.account) }),
  );
}, 30_000);
afterAll(() => test.close());

type Import = RequestPayload<"Import">;
let count = 0;
const name = () => encryptedDataKeyName(`key-${count++}`, 1);

/** An Import of Enc(data) as it is. */
function encrypted(nameValue = name(), bytes = wrapped, by = "account-key-of-the-iam"): Import {
  const { object } = wrappedImport("", by, bytes);
  return {
    uniqueIdentifier: crypto.randomUUID(),
    objectType: "SymmetricKey",
    keyWrapType: "AsRegistered",
    attributes: { ...AES, name: named(nameValue) },
    object,
  };
}

async function keep(request = encrypted()): Promise<string> {
  return (await h.kms.request("Import", request)).uniqueIdentifier;
}

const read = async (uniqueIdentifier: string) => keyBytes(await h.kms.request("Get", { uniqueIdentifier }));

describe("a key that is kept wrapped", () => {
  it("W3 is given back to the KMS as it came", async () => {
    const data = encrypted();
    const forInstance = encrypted(
      encryptedMasterKeyName("m-1", "t".repeat(43)),
      new Uint8Array(384).fill(7),
      "recipient",
    );
    const block = forInstance.object.symmetricKey!.keyBlock;
    block.keyWrappingData!.encryptionKeyInformation!.cryptographicParameters = TO_RECIPIENT;
    const uids = [await keep(data), await keep(forInstance)];
    for (const [at, request] of [data, forInstance].entries()) {
      const { object } = await h.kms.request("Get", { uniqueIdentifier: uids[at]! });
      expect(object).toEqual(request.object);
      const nameOf = request.attributes!.name!;
      expect(await h.kms.request("Locate", { attributes: { name: nameOf } })).toMatchObject({
        uniqueIdentifier: [uids[at]],
      });
    }
  });

  it("W8 tells the KMS its state and when it changed, and what it was wrapped of only by its owner's name", async () => {
    const uid = await keep();
    const { attributes } = await h.kms.request("GetAttributes", {
      uniqueIdentifier: uid,
      attributeReference: ["state", "lastChangeDate", "digest", "sensitive", "alwaysSensitive"],
    });
    expect(attributes).toMatchObject({ state: "PreActive", sensitive: true });
    expect(attributes.lastChangeDate).toBeInstanceOf(Date);
    expect(attributes.digest).toBeUndefined();
  });

  it("W9 is there for no other identity, to be seen, got, changed or destroyed", async () => {
    const uid = await keep();
    for (const client of [h.officer, h.ra, h.iam, h.audit, user]) {
      const operations: [OperationName, object][] = [
        ["Get", { uniqueIdentifier: uid }],
        ["GetAttributes", { uniqueIdentifier: uid, attributeReference: [] }],
        ["Activate", { uniqueIdentifier: uid }],
        ["Destroy", { uniqueIdentifier: uid }],
        ["Revoke", { uniqueIdentifier: uid, revocationReason: { revocationReasonCode: "KeyCompromise" } }],
      ];
      for (const [operation, payload] of operations)
        await refused(client.request(operation, payload as never)).toMatch(
          /^(ObjectNotFound|PermissionDenied)$/,
        );
      if (client === h.audit) continue;
      const { uniqueIdentifier } = await client.request("Locate", { attributes: {} });
      expect(uniqueIdentifier ?? []).not.toContain(uid);
    }
    await allHidden(h.kms, uid, { get: h.officer.request("Get", { uniqueIdentifier: uid }) });
  });

  it("wraps, unwraps, derives and signs nothing, and leaves in no other form", async () => {
    const uid = await keep();
    const bytes = new Uint8Array(16);
    for (const [operation, payload] of everyOperation(uid, bytes).filter(([asked]) => asked !== "Hash"))
      await denied(h.kms.request(operation, payload as never));
    await denied(h.kms.request("Sign", { uniqueIdentifier: uid, data: bytes }));
    const get = (more: object) => h.kms.request("Get", { uniqueIdentifier: uid, ...more });
    await denied(get({ keyWrappingSpecification: aesKw(h.account) }));
    await denied(get({ keyWrappingSpecification: aesKw(uid) }));
    await denied(get({ keyWrappingSpecification: oaep(h.recipient) }));
    await denied(get({ keyWrapType: "NotWrapped" }));
    await denied(h.kms.request("Get", { uniqueIdentifier: h.data, keyWrappingSpecification: aesKw(uid) }));
    await denied(h.kms.request("Import", wrappedImport(crypto.randomUUID(), uid, wrapped)));
    await denied(
      h.kms.request("Create", {
        objectType: "SymmetricKey",
        attributes: {
          ...AES,
          cryptographicUsageMask: ["DeriveKey"],
          vendorAttributes: [policy(POLICY.parent, uid)],
        },
      }),
    );
    // Nor by its own parent, were it here.
    const resident = await keep(encrypted(name(), wrapped, h.account));
    await denied(h.kms.request("Get", { uniqueIdentifier: resident, keyWrapType: "NotWrapped" }));
    expect(await read(resident)).toEqual(wrapped);
  });

  it("W10 is gone when the KMS has destroyed it, and given out no more once it is revoked", async () => {
    const request = encrypted();
    const uid = await keep(request);
    await h.kms.request("Destroy", { uniqueIdentifier: uid });
    await refused(h.kms.request("Get", { uniqueIdentifier: uid })).toBe("ObjectDestroyed");
    const again = await keep({ ...request, uniqueIdentifier: crypto.randomUUID() });
    await h.kms.request("Revoke", {
      uniqueIdentifier: again,
      revocationReason: { revocationReasonCode: "KeyCompromise" },
    });
    await refused(h.kms.request("Get", { uniqueIdentifier: again })).toBe("WrongKeyLifecycleState");
  });

  it("is one for each name", async () => {
    const request = encrypted();
    await keep(request);
    await refused(h.kms.request("Import", request)).toBe("ObjectAlreadyExists");
    const twice = { ...request, uniqueIdentifier: crypto.randomUUID() };
    await refused(h.kms.request("Import", twice)).toBe("NonUniqueNameAttribute");
  });
});

describe("what is kept wrapped", () => {
  const attempt = (request: Import, client = h.kms) => client.request("Import", request);
  const changed = (change: (request: Import) => void): Import => {
    const request = structuredClone(encrypted());
    change(request);
    return request;
  };

  it("is brought in by the KMS alone", async () => {
    for (const client of [h.ra, h.iam, h.audit]) await denied(attempt(encrypted(), client));
    // An ordinary client's has no class.
    const { uniqueIdentifier } = await attempt(encrypted(), user);
    const { attributes } = await user.request("GetAttributes", { uniqueIdentifier, attributeReference: [] });
    expect(attributes.vendorAttributes ?? []).toEqual([]);
  });

  it("has one of the names that are for it", async () => {
    for (const nameValue of ["a key", masterKeyName("acme"), recipientNames("i").key, "data/k", "data/k.1/x"])
      await denied(attempt(encrypted(nameValue)));
    await denied(attempt(changed(({ attributes }) => delete attributes!.name)));
    const two = changed(({ attributes }) => attributes!.name!.push(...named(name())));
    await denied(attempt(two));
  });

  it("says nothing of who may use it, when and for what", async () => {
    for (const more of [
      { cryptographicUsageMask: ["UnwrapKey" as const] },
      { activationDate: PAST },
      { sensitive: false },
      { vendorAttributes: [policy(POLICY.users, IDENTITY.ra)] },
      { vendorAttributes: [policy(POLICY.class, "data")] },
      { objectGroup: ["everybody"] },
    ])
      await denied(attempt(changed(({ attributes }) => Object.assign(attributes!, more))));
  });

  it("is wrapped, by encryption, bare, and of bounded length", async () => {
    const blockOf = (request: Import) => request.object.symmetricKey!.keyBlock;
    await denied(attempt(changed((request) => delete blockOf(request).keyWrappingData)));
    for (const length of [0, 23, 4097]) {
      const request = encrypted(name(), new Uint8Array(length));
      await refused(attempt(request)).toBe("InvalidField");
    }
    const wrapping = (request: Import) => blockOf(request).keyWrappingData!;
    for (const [change, code] of [
      [{ wrappingMethod: "MACSign" }, "KeyWrapTypeNotSupported"],
      [{ encodingOption: "TTLVEncoding" }, "KeyWrapTypeNotSupported"],
      [{ encodingOption: undefined }, "KeyWrapTypeNotSupported"],
      [{ encryptionKeyInformation: undefined }, "InvalidField"],
      [{ encryptionKeyInformation: { uniqueIdentifier: "a b" } }, "InvalidField"],
      [{ encryptionKeyInformation: { uniqueIdentifier: "x".repeat(129) } }, "InvalidField"],
      [{ macSignatureKeyInformation: { uniqueIdentifier: "x" } }, "InvalidField"],
      [{ macSignature: new Uint8Array(1) }, "InvalidField"],
      [{ ivCounterNonce: new Uint8Array(17) }, "InvalidField"],
    ] as const)
      await refused(attempt(changed((request) => Object.assign(wrapping(request), change)))).toBe(code);
    for (const identifier of [3, { reference: "IDPlaceholder" as const }])
      await refused(
        attempt(
          changed((request) => {
            wrapping(request).encryptionKeyInformation = { uniqueIdentifier: identifier };
          }),
        ),
      ).toBe("InvalidField");
    await denied(attempt({ ...encrypted(), replaceExisting: true }));
  });

  it("is there or not: a batch that is undone leaves none", async () => {
    const request = encrypted();
    const answers = await h.kms.batch(
      [item("Import", request), item("Get", { uniqueIdentifier: "nothing" })] as const,
      { batchErrorContinuationOption: "Undo" },
    );
    expect(answers[1]?.resultStatus).toBe("OperationFailed");
    await refused(h.kms.request("Get", { uniqueIdentifier: request.uniqueIdentifier })).toBe(
      "ObjectNotFound",
    );
    const data = await createData(h.kms, h.account);
    await h.kms.request("Destroy", { uniqueIdentifier: data });
    await keep(request);
  });
});

it("W3 what is kept wrapped is there after a restart", async () => {
  const uid = await keep();
  await test.restart();
  const kms = test.as(IDENTITY.kms);
  expect(keyBytes(await kms.request("Get", { uniqueIdentifier: uid }))).toEqual(wrapped);
});
