import { createPrivateKey, createPublicKey } from "node:crypto";
import type { CryptographicParameters } from "#protocol/kmip/index.ts";
import { kmipHash } from "./hashes.ts";
import { privateKey, publicKey } from "./objects.ts";
import { ACCEPTED, attempt, type Driver, gives, type Outcomes, refused, wrong } from "./outcome.ts";
import type { KmipSession } from "./session.ts";
import { bytesOf, type Group, type Vector } from "./vectors.ts";

/** Decrypt with RSA keys; and, as encryption is random, what Encrypt made is decrypted again. */

const keyOf = (group: Group) =>
  bytesOf(group, "privateKeyPkcs8" in group ? "privateKeyPkcs8" : "privateKeyDer");

async function roundTrip(
  session: KmipSession,
  test: Vector,
  group: Group,
  cryptographicParameters: CryptographicParameters,
) {
  const key = createPrivateKey({ key: Buffer.from(keyOf(group)), format: "der", type: "pkcs8" });
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  return attempt(async () => {
    const { data = new Uint8Array() } = await session.use("Encrypt", {
      uniqueIdentifier: await publicKey(session, "X_509", new Uint8Array(spki)),
      cryptographicParameters,
      data: bytesOf(test, "msg"),
    });
    const opened = await session.use("Decrypt", {
      uniqueIdentifier: await privateKey(session, "PKCS_8", keyOf(group)),
      cryptographicParameters,
      data: new Uint8Array(data),
    });
    return gives(bytesOf(test, "msg"), opened.data);
  });
}

/** `RsaesOaepDecrypt` */
export const oaep: Driver = async (test, group, session) => {
  const label = bytesOf(test, "label");
  const cryptographicParameters: CryptographicParameters = {
    paddingMethod: "OAEP",
    hashingAlgorithm: kmipHash(group.sha),
    maskGenerator: "MGF1",
    maskGeneratorHashingAlgorithm: kmipHash(group.mgfSha),
    ...(label.length > 0 ? { pSource: label } : {}),
  };
  const tried: Outcomes = {
    Decrypt: await attempt(async () => {
      const { data } = await session.use("Decrypt", {
        uniqueIdentifier: await privateKey(session, "PKCS_8", keyOf(group)),
        cryptographicParameters,
        data: bytesOf(test, "ct"),
      });
      return gives(bytesOf(test, "msg"), data);
    }),
  };
  if (test.result === "valid") tried.Encrypt = await roundTrip(session, test, group, cryptographicParameters);
  return tried;
};

/**
 * `RsaesPkcs1Decrypt`. A wrong padding is not told: a message comes out that has nothing to do with the ciphertext, the
 * same each time (implicit rejection), so that nobody learns from the server which paddings are right.
 */
export const pkcs1: Driver = async (test, group, session) => {
  const cryptographicParameters: CryptographicParameters = { paddingMethod: "PKCS1V1_5" };
  const expected = Buffer.from(bytesOf(test, "msg"));
  const tried: Outcomes = {
    Decrypt: await attempt(async () => {
      const decrypt = async () =>
        session.use("Decrypt", {
          uniqueIdentifier: await privateKey(session, "PKCS_8", keyOf(group)),
          cryptographicParameters,
          data: bytesOf(test, "ct"),
        });
      const { data = new Uint8Array() } = await decrypt();
      if (expected.equals(data)) return ACCEPTED;
      const again = await decrypt();
      return Buffer.from(data).equals(again.data ?? new Uint8Array())
        ? refused("another message")
        : wrong("another message each time");
    }),
  };
  if (test.result === "valid") tried.Encrypt = await roundTrip(session, test, group, cryptographicParameters);
  return tried;
};
