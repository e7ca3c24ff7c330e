import { createCipheriv } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Attributes,
  type CryptographicParameters,
  decodeResponse,
  encodeRequest,
  type KeyBlock,
  type KmipClient,
  type OperationName,
  type ProtocolVersion,
  type RequestItem,
  VERSIONS,
} from "#protocol/kmip/index.ts";
import { issueClient, type KeyAndCertificate } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { type Bytes, PAST } from "../testing/hierarchy.ts";
import { reason, refused } from "../testing/refusal.ts";

let test: TestHsm;
let alice: KeyAndCertificate;
/** The newest version: it has everything. */
let newest: KmipClient;
beforeAll(async () => {
  test = await testHsm();
  alice = await issueClient(test.pki.dir, "alice");
  newest = test.as(alice);
}, 30_000);
afterAll(() => test.close());

const since = (minor: number) => VERSIONS.filter((version) => version.major > 1 || version.minor >= minor);
const spelled = ({ major, minor }: ProtocolVersion) => `${major}.${minor}`;
const cases = (versions: readonly ProtocolVersion[]) => versions.map((one) => [spelled(one), one] as const);

const random = (length: number): Bytes => crypto.getRandomValues(new Uint8Array(length));
const joined = (...parts: (Uint8Array | undefined)[]) =>
  new Uint8Array(Buffer.concat(parts.map((part) => part ?? new Uint8Array())));

async function register(keyBlock: Partial<KeyBlock>, attributes: Attributes = {}): Promise<string> {
  const { uniqueIdentifier } = await newest.request("Register", {
    objectType: "SymmetricKey",
    attributes: {
      cryptographicUsageMask: ["Encrypt", "Decrypt", "MACGenerate", "MACVerify", "Sign", "WrapKey"],
      activationDate: PAST,
      ...attributes,
    },
    object: { symmetricKey: { keyBlock: { keyFormatType: "Raw", ...keyBlock } } },
  });
  return uniqueIdentifier;
}

const aes = (keyMaterial: Bytes) =>
  register({
    keyValue: { keyMaterial },
    cryptographicAlgorithm: "AES",
    cryptographicLength: keyMaterial.length * 8,
  });

/** The reason of a refusal of what a client sends that minds no versions: a message of 2.1 with another number on it. */
async function rawReason(
  version: ProtocolVersion,
  operation: OperationName,
  payload: object,
): Promise<unknown> {
  const header = { protocolVersion: VERSIONS.at(-1)! };
  const message = encodeRequest({ header, items: [{ operation, payload } as RequestItem] });
  const view = new DataView(message.buffer);
  view.setInt32(32, version.major);
  view.setInt32(48, version.minor);
  const answer = await test.exchange(alice, { transport: "tls", encoding: "ttlv" })(message);
  return decodeResponse(answer).items[0]!.resultReason;
}

describe.each(cases(since(2)))("KMIP %s", (_, version) => {
  let client: KmipClient;
  beforeAll(() => {
    client = test.as(alice, version);
  });
  const separate = version.major > 1 || version.minor >= 4;

  it.each([
    ["GCM", "AES", 16],
    ["GCM", "AES", 12],
    ["CCM", "AES", 16],
    ["CCM", "AES", 8],
    ["AEAD", "ChaCha20Poly1305", 16],
  ] as const)(
    "what %s by %s with a tag of %i bytes encrypts is opened again",
    async (mode, algorithm, length) => {
      const key = random(32);
      const uniqueIdentifier = await register({
        keyValue: { keyMaterial: key },
        cryptographicAlgorithm: algorithm,
        cryptographicLength: 256,
      });
      // The key says the algorithm, which older versions cannot name.
      const cryptographicParameters =
        algorithm === "AES" ? { blockCipherMode: mode, tagLength: length } : { tagLength: length };
      for (const data of [random(0), random(1), random(1000)]) {
        const sealed = await client.request("Encrypt", { uniqueIdentifier, cryptographicParameters, data });
        const { ivCounterNonce, authenticatedEncryptionTag: tag } = sealed;
        expect(tag?.length).toBe(separate ? length : undefined);
        expect(sealed.data?.length).toBe(data.length + (separate ? 0 : length));
        const open = (asker: KmipClient, ciphertext: Uint8Array, authenticatedEncryptionTag?: Uint8Array) =>
          asker.request("Decrypt", {
            uniqueIdentifier,
            cryptographicParameters,
            data: ciphertext,
            ivCounterNonce: ivCounterNonce!,
            ...(authenticatedEncryptionTag ? { authenticatedEncryptionTag } : {}),
          });
        expect((await open(client, sealed.data!, tag)).data).toEqual(data);
        // Other versions open it too, with the tag where they have it.
        const whole = joined(sealed.data, tag);
        const [ciphertext, itsTag] = [whole.slice(0, data.length), whole.slice(data.length)];
        expect((await open(newest, ciphertext, itsTag)).data).toEqual(data);
        expect((await open(test.as(alice, { major: 1, minor: 2 }), whole)).data).toEqual(data);
        // And none opens what was changed, or has no tag.
        for (const at of [0, whole.length - 1]) {
          const changed = whole.slice();
          changed[at]! ^= 1;
          const [body, end] = separate
            ? [changed.slice(0, data.length), changed.slice(data.length)]
            : [changed, undefined];
          expect(await reason(open(client, body, end))).not.toBe("Success");
        }
        expect(await reason(open(client, ciphertext))).not.toBe("Success");
        if (mode !== "GCM") continue;
        const cipher = createCipheriv("aes-256-gcm", key, ivCounterNonce!, { authTagLength: length });
        expect(Buffer.from(whole)).toEqual(
          Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag()]),
        );
      }
    },
  );

  it("data in pieces is opened again, or refused from the first piece on", async () => {
    const uniqueIdentifier = await aes(random(32));
    const cryptographicParameters = { blockCipherMode: "GCM" as const, tagLength: 16 };
    const data = random(64);
    const pieces = [data.slice(0, 10), data.slice(10, 50), data.slice(50)];
    const ivCounterNonce = random(12);
    const common = { uniqueIdentifier, cryptographicParameters };
    const run = async (operation: "Encrypt" | "Decrypt", parts: Bytes[], last: object) => {
      let correlationValue: Uint8Array | undefined;
      let out = random(0);
      let tag: Uint8Array | undefined;
      for (const [at, part] of parts.entries()) {
        const answer = await client.request(operation, {
          ...common,
          data: part,
          ...(at === 0 ? { ivCounterNonce, initIndicator: true } : { correlationValue: correlationValue! }),
          ...(at === parts.length - 1 ? { finalIndicator: true, ...last } : {}),
        });
        correlationValue = answer.correlationValue;
        out = joined(out, answer.data);
        tag = "authenticatedEncryptionTag" in answer ? answer.authenticatedEncryptionTag : undefined;
      }
      return { out, tag };
    };
    if (version.major === 1 && version.minor < 3) {
      const payload = { ...common, data, ivCounterNonce, initIndicator: true };
      expect(await rawReason(version, "Encrypt", payload)).toBe("FeatureNotSupported");
      return;
    }
    const { out, tag } = await run("Encrypt", pieces, {});
    expect(out.length + (tag?.length ?? 0)).toBe(data.length + 16);
    const opened = await run(
      "Decrypt",
      // A piece may end within the tag.
      [out.slice(0, 70), out.slice(70)],
      tag ? { authenticatedEncryptionTag: tag } : {},
    );
    expect(opened.out).toEqual(data);
  });
});

describe.each(cases(VERSIONS))("KMIP %s", (_, version) => {
  let client: KmipClient;
  beforeAll(() => {
    client = test.as(alice, version);
  });
  const index = VERSIONS.indexOf(version);

  it("gives no key without its algorithm", async () => {
    const keyMaterial = random(32);
    const uniqueIdentifier = await register({
      keyValue: { keyMaterial },
      cryptographicAlgorithm: "ChaCha20",
      cryptographicLength: 256,
    });
    const answer = client.request("Get", { uniqueIdentifier });
    if (version.major === 1 && version.minor < 4) {
      await refused(answer).toBe("FeatureNotSupported");
      // It was not got: it is as fresh as before.
      const { attributes } = await newest.request("GetAttributes", {
        uniqueIdentifier,
        attributeReference: ["fresh"],
      });
      expect(attributes.fresh).toBe(true);
    } else
      expect((await answer).object.symmetricKey!.keyBlock).toMatchObject({
        cryptographicAlgorithm: "ChaCha20",
        keyValue: { keyMaterial },
      });
  });

  it("gives no wrapped key without how it is wrapped", async () => {
    const wrapping = await aes(random(32));
    const wrapped = (cryptographicParameters: CryptographicParameters) =>
      register({
        keyValue: { keyMaterial: random(40) },
        cryptographicAlgorithm: "AES",
        cryptographicLength: 256,
        keyWrappingData: {
          wrappingMethod: "Encrypt",
          encryptionKeyInformation: {
            uniqueIdentifier: wrapping,
            cryptographicParameters,
          },
          encodingOption: "NoEncoding",
        },
      });
    const got = async (uniqueIdentifier: string) => reason(client.request("Get", { uniqueIdentifier }));
    expect(await got(await wrapped({ blockCipherMode: "NISTKeyWrap" }))).toBe("Success");
    // Without the mask generator it reads as another way of wrapping.
    const masked = await wrapped({ paddingMethod: "OAEP", maskGenerator: "MGF1" });
    expect(await got(masked)).toBe(index < 4 ? "FeatureNotSupported" : "Success");
  });

  it("gives no key on a curve that it cannot name", async () => {
    const { uniqueIdentifier } = await newest.request("Register", {
      objectType: "PublicKey",
      attributes: { cryptographicUsageMask: ["KeyAgreement"] },
      object: {
        publicKey: {
          keyBlock: {
            keyFormatType: "TransparentECPublicKey",
            keyValue: { keyMaterial: { recommendedCurve: "CURVE25519", qString: random(32) } },
            cryptographicAlgorithm: "EC",
            cryptographicLength: 256,
          },
        },
      },
    });
    const code = await reason(client.request("Get", { uniqueIdentifier }));
    expect(code).toBe(version.major === 1 ? "FeatureNotSupported" : "Success");
  });

  /** Operations that came after that version. */
  const NEWER: [OperationName, object, (version: ProtocolVersion) => boolean][] = [
    ["DiscoverVersions", { protocolVersion: [] }, ({ major, minor }) => major > 1 || minor >= 1],
    [
      "Hash",
      { cryptographicParameters: { hashingAlgorithm: "SHA_256" }, data: random(3) },
      ({ major, minor }) => major > 1 || minor >= 2,
    ],
    ["RNGRetrieve", { dataLength: 8 }, ({ major, minor }) => major > 1 || minor >= 2],
    ["Ping", {}, ({ major, minor }) => major > 1 && minor >= 1],
    ["GetConstraints", {}, ({ major, minor }) => major > 1 && minor >= 1],
  ];
  it.each(NEWER)("has %s or refuses it", async (operation, payload, has) => {
    expect(await rawReason(version, operation, payload)).toBe(
      has(version) ? undefined : "OperationNotSupported",
    );
  });
});
