import type { CryptographicParameters, KeyBlock } from "#protocol/kmip/index.ts";
import { symmetricKey } from "./objects.ts";
import { attempt, type Driver, gives, makes, type Outcomes } from "./outcome.ts";
import type { KmipSession } from "./session.ts";
import { bytesOf } from "./vectors.ts";

/** Encrypt and Decrypt. */

type Bytes = Uint8Array<ArrayBuffer>;
type Algorithm = KeyBlock["cryptographicAlgorithm"];

interface Sealing {
  algorithm: Algorithm;
  parameters: CryptographicParameters;
  key: Bytes;
  iv?: Bytes;
  aad?: Bytes;
  plain: Bytes;
  cipher: Bytes;
  tag?: Bytes;
}

async function sealAndOpen(session: KmipSession, vector: Sealing): Promise<Outcomes> {
  const { algorithm, parameters, key, iv, aad, plain, cipher, tag } = vector;
  const common = async () => ({
    uniqueIdentifier: await symmetricKey(session, algorithm, key),
    cryptographicParameters: parameters,
    ...(iv ? { ivCounterNonce: iv } : {}),
    ...(aad ? { authenticatedEncryptionAdditionalData: aad } : {}),
  });
  const [Encrypt, Decrypt] = await Promise.all([
    attempt(async () => {
      const sealed = await session.use("Encrypt", { ...(await common()), data: plain });
      const data = sealed.data ?? new Uint8Array();
      if (!tag) return makes(cipher, data);
      const made = sealed.authenticatedEncryptionTag ?? new Uint8Array();
      return makes(Buffer.concat([cipher, tag]), Buffer.concat([data, made]));
    }),
    attempt(async () => {
      const opened = await session.use("Decrypt", {
        ...(await common()),
        data: cipher,
        ...(tag ? { authenticatedEncryptionTag: tag } : {}),
      });
      return gives(plain, opened.data);
    }),
  ]);
  return { Encrypt, Decrypt };
}

/** `AeadTest`: GCM, CCM, ChaCha20-Poly1305. */
export const aead =
  (algorithm: Algorithm, blockCipherMode?: CryptographicParameters["blockCipherMode"]): Driver =>
  (test, group, session) =>
    sealAndOpen(session, {
      algorithm,
      parameters: { ...(blockCipherMode ? { blockCipherMode } : {}), tagLength: Number(group.tagSize) / 8 },
      key: bytesOf(test, "key"),
      iv: bytesOf(test, "iv"),
      aad: bytesOf(test, "aad"),
      plain: bytesOf(test, "msg"),
      cipher: bytesOf(test, "ct"),
      tag: bytesOf(test, "tag"),
    });

/** `MacWithIvTest`: GMAC is GCM without a message (NIST SP 800-38D §3). */
export const gmac =
  (algorithm: Algorithm): Driver =>
  (test, group, session) =>
    sealAndOpen(session, {
      algorithm,
      parameters: { blockCipherMode: "GCM", tagLength: Number(group.tagSize) / 8 },
      key: bytesOf(test, "key"),
      iv: bytesOf(test, "iv"),
      aad: bytesOf(test, "msg"),
      plain: new Uint8Array(),
      cipher: new Uint8Array(),
      tag: bytesOf(test, "tag"),
    });

/** `IndCpaTest`: CBC with PKCS#5 padding, XTS. */
export const unauthenticated =
  (algorithm: Algorithm, parameters: CryptographicParameters): Driver =>
  (test, _group, session) =>
    sealAndOpen(session, {
      algorithm,
      parameters,
      key: bytesOf(test, "key"),
      iv: bytesOf(test, "iv"),
      plain: bytesOf(test, "msg"),
      cipher: bytesOf(test, "ct"),
    });

/**
 * XTS. A tweak is the number of a data unit, little-endian (IEEE 1619 §5.1): the vectors have 1 to 16 bytes of it, and
 * zeros to the right make them a block.
 */
export const xts =
  (algorithm: Algorithm): Driver =>
  (test, group, session) => {
    const tweak = bytesOf(test, "iv");
    const iv = Buffer.concat([tweak, new Uint8Array(Math.max(0, 16 - tweak.length))]).toString("hex");
    return unauthenticated(algorithm, { blockCipherMode: "XTS" })({ ...test, iv }, group, session);
  };

/** `StreamCipherTest`: ChaCha20 (RFC 8439 §2.4), whose counter is given. */
export const chacha20: Driver = (test, _group, session) =>
  sealAndOpen(session, {
    algorithm: "ChaCha20",
    // An Integer of KMIP has a sign.
    parameters: { initialCounterValue: Buffer.from(bytesOf(test, "initialCounter")).readInt32LE() },
    key: bytesOf(test, "key"),
    iv: bytesOf(test, "iv"),
    plain: bytesOf(test, "msg"),
    cipher: "ct" in test ? bytesOf(test, "ct") : bytesOf(test, "msg"),
  });
