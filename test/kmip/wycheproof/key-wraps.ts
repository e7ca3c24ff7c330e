import { randomUUID } from "node:crypto";
import type { CryptographicParameters, KeyBlock } from "#protocol/kmip/index.ts";
import { materialOf, secretData, symmetricKey } from "./objects.ts";
import { attempt, type Driver, gives, makes, type Outcomes } from "./outcome.ts";
import { bytesOf } from "./vectors.ts";

/**
 * `KeywrapTest`: AES-KW and AES-KWP as ciphers (Encrypt, Decrypt), and as what they are for: Get of a key in wrapped
 * form, Import of a wrapped key. For ciphers other than AES this server has the former only.
 */
export const keyWrap =
  (
    algorithm: KeyBlock["cryptographicAlgorithm"],
    blockCipherMode: CryptographicParameters["blockCipherMode"] & {},
  ): Driver =>
  async (test, _group, session) => {
    const key = () => symmetricKey(session, algorithm, bytesOf(test, "key"));
    const [plain, wrapped] = [bytesOf(test, "msg"), bytesOf(test, "ct")];
    const cryptographicParameters = { blockCipherMode };
    const information = async () => ({
      wrappingMethod: "Encrypt" as const,
      encryptionKeyInformation: { uniqueIdentifier: await key(), cryptographicParameters },
      encodingOption: "NoEncoding" as const,
    });
    const tried: Outcomes = {
      Encrypt: await attempt(async () => {
        const answer = await session.use("Encrypt", {
          uniqueIdentifier: await key(),
          cryptographicParameters,
          data: plain,
        });
        return makes(wrapped, answer.data);
      }),
      Decrypt: await attempt(async () => {
        const answer = await session.use("Decrypt", {
          uniqueIdentifier: await key(),
          cryptographicParameters,
          data: wrapped,
        });
        return gives(plain, answer.data);
      }),
    };
    if (algorithm !== "AES") return tried;
    tried.Get = await attempt(async () => {
      const { object } = await session.request("Get", {
        uniqueIdentifier: await secretData(session, plain),
        keyWrappingSpecification: await information(),
      });
      return makes(wrapped, materialOf(object));
    });
    tried.Import = await attempt(async () => {
      const uniqueIdentifier = `wrapped-${randomUUID()}`;
      await session.request("Import", {
        uniqueIdentifier,
        objectType: "SecretData",
        keyWrapType: "NotWrapped",
        attributes: { cryptographicUsageMask: ["DeriveKey"] },
        object: {
          secretData: {
            secretDataType: "Password",
            keyBlock: {
              keyFormatType: "Opaque",
              keyValue: { keyMaterial: wrapped },
              keyWrappingData: await information(),
            },
          },
        },
      });
      const { object } = await session.request("Get", { uniqueIdentifier });
      return gives(plain, materialOf(object));
    });
    return tried;
  };
