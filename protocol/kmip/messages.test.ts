import { describe, expect, it } from "vitest";
import { POLICY, policy, VENDOR } from "../hierarchy/index.ts";
import {
  type Attributes,
  createKmipClient,
  decodeItem,
  decodeRequest,
  decodeResponse,
  encodeItem,
  encodeRequest,
  encodeResponse,
  type Item,
  item,
  KmipDecodeError,
  KmipEncodeError,
  KmipError,
  negotiateVersion,
  type ProtocolVersion,
  type RequestItem,
  type RequestMessage,
  type ResponseItem,
  type ResultReason,
  tagByNumber,
  tagNumber,
  VERSIONS,
} from "./index.ts";
import { versionIndex } from "./version.ts";

const V1_0 = { major: 1, minor: 0 };
const V1_4 = { major: 1, minor: 4 };
const V2_0 = { major: 2, minor: 0 };
const V2_1 = { major: 2, minor: 1 };
const timeStamp = new Date(0);

const request = (protocolVersion: ProtocolVersion, ...items: RequestItem[]): RequestMessage => ({
  header: { protocolVersion },
  items,
});

const attributes: Attributes = {
  cryptographicAlgorithm: "AES",
  cryptographicLength: 256,
  cryptographicUsageMask: ["WrapKey", "UnwrapKey"],
  name: [
    { nameValue: "first", nameType: "UninterpretedTextString" },
    { nameValue: "second", nameType: "URI" },
  ],
  activationDate: new Date(1_000_000),
  vendorAttributes: [
    policy(POLICY.class, "master"),
    { vendorIdentification: "x", attributeName: "ID", attributeValue: 7 },
    { vendorIdentification: "y", attributeName: "Bytes", attributeValue: new Uint8Array([1, 2, 3]) },
  ],
};

/** Every item of a tree. */
function* walk(tree: Item): Generator<Item> {
  yield tree;
  if (tree.type === "Structure") for (const child of tree.value) yield* walk(child);
}

describe("typed messages", () => {
  for (const version of VERSIONS) {
    it(`keep a Create in ${version.major}.${version.minor}, with tags of that version alone`, () => {
      const message = request(version, item("Create", { objectType: "SymmetricKey", attributes }));
      const bytes = encodeRequest(message);
      expect(decodeRequest(bytes)).toEqual(message);
      for (const { tag } of walk(decodeItem(bytes))) {
        const known = tagByNumber(tag)!;
        expect(known.first).toBeLessThanOrEqual(versionIndex(version));
        expect(known.last).toBeGreaterThanOrEqual(versionIndex(version));
      }
    });
  }

  it("names vendor attributes x-<vendor>-<name> in 1.x", () => {
    const bytes = encodeRequest(request(V1_4, item("Create", { objectType: "SymmetricKey", attributes })));
    const names = [...walk(decodeItem(bytes))]
      .filter(({ tag }) => tag === tagNumber("AttributeName"))
      .map(({ value }) => value);
    expect(names.slice(-3)).toEqual(["x-Coffer-Class", "x-ID", "y-Bytes"]);
    expect(names).toContain("Cryptographic Usage Mask");
  });

  it("refuse a request with what its version lacks", () => {
    const sensitive = { ...attributes, sensitive: true };
    const create = item("Create", { objectType: "SymmetricKey", attributes: sensitive });
    expect(() => encodeRequest(request(V1_4, create))).not.toThrow();
    expect(() => encodeRequest(request({ major: 1, minor: 3 }, create))).toThrow(KmipEncodeError);
    expect(() => encodeRequest(request(V1_0, item("Encrypt", {})))).toThrow(/Encrypt is not in this/);
    const hkdf = item("DeriveKey", {
      objectType: "SymmetricKey",
      uniqueIdentifier: ["a"],
      derivationMethod: "HKDF",
      derivationParameters: {},
      attributes: {},
    });
    expect(() => encodeRequest(request(V1_4, hkdf))).toThrow(/HKDF is not in this/);
    expect(() => encodeRequest(request(V2_1, hkdf))).not.toThrow();
  });

  it("leave out of a response what its version lacks, and translate the reason", () => {
    const items: ResponseItem[] = [
      {
        operation: "GetAttributes",
        resultStatus: "Success",
        payload: {
          uniqueIdentifier: "a",
          attributes: { cryptographicLength: 256, sensitive: true, fresh: true, quantumSafe: true },
        },
      },
      {
        operation: "Query",
        resultStatus: "Success",
        payload: { operation: ["Create", "Encrypt", "Ping"], objectType: ["SymmetricKey", "PGPKey"] },
      },
      { operation: "Get", resultStatus: "OperationFailed", resultReason: "ObjectNotFound" },
    ];
    const at = (protocolVersion: ProtocolVersion) =>
      decodeResponse(encodeResponse({ header: { protocolVersion, timeStamp }, items })).items;
    expect(at(V2_1)).toEqual(items);
    const [got, queried, failed] = at(V1_0);
    expect(got!.payload).toEqual({ uniqueIdentifier: "a", attributes: { cryptographicLength: 256 } });
    expect(queried!.payload).toEqual({ operation: ["Create"], objectType: ["SymmetricKey"] });
    expect(failed!.resultReason).toBe("ItemNotFound");
  });

  it.each([
    [V1_4, "Sign", "PermissionDenied"],
    [V1_4, "Destroy", "PermissionDenied"],
    [V2_0, "Sign", "PermissionDenied"],
    [V2_0, "ModifyAttribute", "PermissionDenied"],
    [V2_0, "Destroy", "WrongKeyLifecycleState"],
    [V2_1, "Sign", "WrongKeyLifecycleState"],
    [V2_1, "ModifyAttribute", "WrongKeyLifecycleState"],
  ] as const)(
    "tell %o of a wrong state for %s as its test cases do",
    (protocolVersion, operation, expected) => {
      const item: ResponseItem = {
        operation,
        resultStatus: "OperationFailed",
        resultReason: "WrongKeyLifecycleState",
      };
      const response = encodeResponse({ header: { protocolVersion, timeStamp }, items: [item] });
      expect(decodeResponse(response).items[0]!.resultReason).toBe(expected);
    },
  );

  it("fail one item of a response whose payload has no form in its version", () => {
    const response = encodeResponse({
      header: { protocolVersion: V1_0, timeStamp },
      items: [
        {
          operation: "Create",
          resultStatus: "Success",
          payload: { objectType: "CertificateRequest", uniqueIdentifier: "a" },
        },
        { operation: "Destroy", resultStatus: "Success", payload: { uniqueIdentifier: "a" } },
      ],
    });
    const [created, destroyed] = decodeResponse(response).items;
    expect(created).toMatchObject({ resultStatus: "OperationFailed", resultReason: "FeatureNotSupported" });
    expect(created!.payload).toBeUndefined();
    expect(destroyed!.resultStatus).toBe("Success");
  });

  it("refuse a request whose item is of another type", () => {
    const message = request(
      V1_4,
      item("Get", { extensions: [{ tag: 0x420042, type: "Boolean", value: true }] }),
    );
    expect(() => decodeRequest(encodeRequest(message))).toThrow(KmipDecodeError);
  });

  it("keep unknown items, operations and enumeration values", () => {
    const extra: Item = { tag: 0x540001, type: "TextString", value: "kept" };
    const message = request(
      V2_1,
      item("Get", { uniqueIdentifier: "a", extensions: [extra] }),
      { operation: 0x80000001, payload: { extensions: [extra] } },
      item("Create", { objectType: 0x80000002, attributes: { extensions: [extra] } }),
    );
    expect(decodeRequest(encodeRequest(message))).toEqual(message);
  });

  it("keep references, vendor names and indexes of attributes", () => {
    for (const version of [V1_4, V2_1]) {
      const message = request(
        version,
        item("GetAttributes", {
          uniqueIdentifier: "a",
          attributeReference: [
            "state",
            "x_509CertificateIdentifier",
            { vendorIdentification: VENDOR, attributeName: POLICY.class },
          ],
        }),
        item("AddAttribute", { uniqueIdentifier: "a", newAttribute: { contactInformation: "me" } }),
        item("DeleteAttribute", { attributeReference: "objectGroup" }),
        item("Locate", { maximumItems: 1, attributes: { state: "Active" } }),
      );
      expect(decodeRequest(encodeRequest(message))).toEqual(message);
    }
    const indexed = request(
      V1_4,
      item("ModifyAttribute", {
        newAttribute: { objectGroup: ["b"], attributeIndex: { objectGroup: [2] } },
      }),
      item("DeleteAttribute", { attributeReference: "objectGroup", attributeIndex: 1 }),
    );
    expect(decodeRequest(encodeRequest(indexed))).toEqual(indexed);
  });

  it("keep references to earlier objects of the batch, which 2.x has", () => {
    const message = request(V2_1, item("Get", { uniqueIdentifier: { reference: "IDPlaceholder" } }));
    expect(decodeRequest(encodeRequest(message))).toEqual(message);
  });

  it("keep key blocks, plain, transparent and wrapped", () => {
    const wrapped = item("Import", {
      uniqueIdentifier: "a",
      objectType: "SymmetricKey",
      keyWrapType: "NotWrapped",
      attributes: {},
      object: {
        symmetricKey: {
          keyBlock: {
            keyFormatType: "Raw",
            keyValue: { keyMaterial: new Uint8Array(40) },
            keyWrappingData: {
              wrappingMethod: "Encrypt",
              encryptionKeyInformation: {
                uniqueIdentifier: "k",
                cryptographicParameters: { blockCipherMode: "NISTKeyWrap" },
              },
              encodingOption: "NoEncoding",
            },
          },
        },
      },
    });
    const transparent = item("Register", {
      objectType: "PublicKey",
      attributes: {},
      object: {
        publicKey: {
          keyBlock: {
            keyFormatType: "TransparentRSAPublicKey",
            keyValue: { keyMaterial: { modulus: (1n << 2048n) - 1n, publicExponent: 65537n } },
            cryptographicAlgorithm: "RSA",
            cryptographicLength: 2048,
          },
        },
      },
    });
    const message = request(V2_1, wrapped, transparent);
    expect(decodeRequest(encodeRequest(message))).toEqual(message);
  });

  it("read 1.x's Boolean Asynchronous Indicator as 2.x's", () => {
    for (const protocolVersion of [V1_4, V2_1]) {
      const header = { protocolVersion, asynchronousIndicator: "Optional" as const };
      expect(decodeRequest(encodeRequest({ header, items: [] })).header).toEqual(header);
    }
  });

  describe("refuse", () => {
    const valid = () => decodeItem(encodeRequest(request(V2_1, item("Get", { uniqueIdentifier: "a" }))));
    const children = (tree: Item) => tree.value as Item[];
    const broken: Record<string, (tree: Item) => void> = {
      "another message": (tree) => {
        tree.tag = tagNumber("ResponseMessage");
      },
      "a missing header": (tree) => {
        children(tree).shift();
      },
      "a batch count that is not so": (tree) => {
        children(tree).pop();
      },
      "something after the batch": (tree) => {
        children(tree).push({ tag: 0x540001, type: "Boolean", value: true });
      },
      "a missing version": (tree) => {
        children(children(tree)[0]!).shift();
      },
      "a missing operation": (tree) => {
        children(children(tree)[1]!).shift();
      },
      "an operation as text": (tree) => {
        children(children(tree)[1]!)[0] = { tag: tagNumber("Operation"), type: "TextString", value: "Get" };
      },
      "two identifiers": (tree) => {
        const payload = children(children(children(tree)[1]!)[1]!);
        payload.push(payload[0]!);
      },
    };
    for (const [name, breakIt] of Object.entries(broken)) {
      it(name, () => {
        const tree = valid();
        breakIt(tree);
        expect(() => decodeRequest(encodeItem(tree))).toThrow(KmipDecodeError);
      });
    }
  });
});

describe("client", () => {
  /** A server that answers each message with the items that `answer` gives. */
  const exchange =
    (answer: (message: RequestMessage) => ResponseItem[], seen: RequestMessage[] = []) =>
    async (bytes: Uint8Array) => {
      const message = decodeRequest(bytes);
      seen.push(message);
      const { protocolVersion } = message.header;
      return encodeResponse({ header: { protocolVersion, timeStamp }, items: answer(message) });
    };

  it("gives the payload of the operation", async () => {
    const client = createKmipClient({
      exchange: exchange(() => [
        { operation: "Locate", resultStatus: "Success", payload: { uniqueIdentifier: ["a"] } },
      ]),
    });
    const { uniqueIdentifier } = await client.request("Locate", { attributes: {} });
    expect(uniqueIdentifier).toEqual(["a"]);
  });

  it("throws KmipError with the reason", async () => {
    const client = createKmipClient({
      exchange: exchange(() => [
        {
          operation: "Get",
          resultStatus: "OperationFailed",
          resultReason: "PermissionDenied",
          resultMessage: "no",
        },
      ]),
    });
    const error = await client.request("Get", {}).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(KmipError);
    expect(error).toMatchObject({ code: "PermissionDenied", message: "no", operation: "Get" });
  });

  it("answers each item of a batch, also those that the server never reached", async () => {
    const seen: RequestMessage[] = [];
    const client = createKmipClient({
      exchange: exchange(
        () => [
          {
            operation: "Create",
            resultStatus: "Success",
            payload: { objectType: "SymmetricKey", uniqueIdentifier: "a" },
          },
          { operation: "Get", resultStatus: "OperationFailed", resultReason: "Sensitive" },
        ],
        seen,
      ),
    });
    const [created, got, destroyed] = await client.batch([
      item("Create", { objectType: "SymmetricKey", attributes: {} }),
      item("Get", {}),
      item("Destroy", {}),
    ]);
    expect(created.payload?.uniqueIdentifier).toBe("a");
    expect(got.resultReason).toBe("Sensitive");
    expect(destroyed.resultStatus).toBe("OperationFailed");
    expect(seen[0]!.header.batchOrderOption).toBe(true);
  });

  it("matches answers by identifier, in whatever order they come", async () => {
    const answersOf = (order: number[], { items }: RequestMessage): ResponseItem[] =>
      order.map((position) => ({
        operation: "Activate",
        uniqueBatchItemId: items[position]!.uniqueBatchItemId,
        resultStatus: "Success",
        payload: { uniqueIdentifier: `${position}` },
      }));
    const activations = [item("Activate", {}), item("Activate", {}), item("Activate", {})] as const;
    const client = (order: number[]) =>
      createKmipClient({ exchange: exchange((message) => answersOf(order, message)) });
    const answers = await client([2, 0, 1]).batch(activations, { batchOrderOption: false });
    expect(answers.map(({ payload }) => payload?.uniqueIdentifier)).toEqual(["0", "1", "2"]);
    await expect(client([0, 0, 1]).batch(activations)).rejects.toBeInstanceOf(KmipDecodeError);
  });

  it("refuses answers that make no sense", async () => {
    const answers: Record<string, ResponseItem[]> = {
      "of another operation": [{ operation: "Destroy", resultStatus: "Success" }],
      "that are too many": [
        { operation: "Get", resultStatus: "OperationFailed" },
        { operation: "Get", resultStatus: "OperationFailed" },
      ],
    };
    for (const given of Object.values(answers)) {
      const client = createKmipClient({ exchange: exchange(() => given) });
      await expect(client.request("Get", {})).rejects.toBeInstanceOf(KmipDecodeError);
    }
    const client = createKmipClient({
      exchange: exchange(() => [{ resultStatus: "OperationFailed", resultReason: "InvalidMessage" }]),
    });
    await expect(client.batch([item("Get", {}), item("Destroy", {})])).rejects.toMatchObject({
      code: "InvalidMessage",
    });
  });

  it("negotiates the newest version that both know", async () => {
    const versions = (...protocolVersion: ProtocolVersion[]) =>
      exchange(() => [
        { operation: "DiscoverVersions", resultStatus: "Success", payload: { protocolVersion } },
      ]);
    expect(await negotiateVersion({ exchange: versions(V1_4, V1_0) })).toEqual(V1_4);
    expect(await negotiateVersion({ exchange: versions({ major: 3, minor: 0 }, V2_1) })).toEqual(V2_1);
    await expect(negotiateVersion({ exchange: versions({ major: 9, minor: 9 }) })).rejects.toMatchObject({
      code: "UnsupportedProtocolVersion",
    });
    const refusing = (resultReason: ResultReason) =>
      exchange(() => [{ operation: "DiscoverVersions", resultStatus: "OperationFailed", resultReason }]);
    for (const reason of ["OperationNotSupported", "UnsupportedProtocolVersion", "InvalidMessage"] as const)
      expect(await negotiateVersion({ exchange: refusing(reason) }), reason).toEqual(V1_0);
    // These say nothing of its age.
    for (const code of ["GeneralFailure", "PermissionDenied"] as const)
      await expect(negotiateVersion({ exchange: refusing(code) })).rejects.toMatchObject({ code });
  });
});
