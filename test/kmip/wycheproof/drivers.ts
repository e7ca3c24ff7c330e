import { getCipherInfo } from "node:crypto";
import type { CryptographicParameters, KeyBlock } from "#protocol/kmip/index.ts";
import { aead, chacha20, gmac, unauthenticated, xts } from "./ciphers.ts";
import { ecdh, hkdf, pbkdf2, xdh } from "./derivations.ts";
import { hashOf } from "./hashes.ts";
import { keyWrap } from "./key-wraps.ts";
import { mac } from "./macs.ts";
import { curveOf } from "./objects.ts";
import type { Driver } from "./outcome.ts";
import { oaep, pkcs1 } from "./rsa-encryption.ts";
import { dsa, ecdsa, eddsa, rsaPkcs1, rsaPkcs1Signing, rsaPss } from "./signatures.ts";
import type { Group, VectorFile } from "./vectors.ts";

/** Which driver a group of vectors has; or, in a sentence, why it has none. */
export function driverOf({ algorithm }: VectorFile, group: Group): Driver | string {
  const name = algorithm.toUpperCase();
  const [, cipher, mode] = /^(AES|ARIA|CAMELLIA|SEED|SM4)-(.+)$/.exec(name) ?? [];
  const found = cipher && mode ? blockDriver(cipher, mode, group) : BY_TYPE[group.type];
  if (typeof found === "string") return found;
  if (found) return unknownParameter(group) ?? found;
  if (name === "CHACHA20-POLY1305") return aead("ChaCha20Poly1305");
  if (group.type === "StreamCipherTest") return streamDriver(group);
  const derived = keyedDriver(name, group.type);
  if (derived) return derived;
  const reason = OUT_OF_REACH.find(([pattern]) => pattern.test(`${algorithm} ${group.type}`));
  return reason?.[1] ?? `no operation is known for ${algorithm}, ${group.type}`;
}

type Mode = CryptographicParameters["blockCipherMode"];

const BLOCK_CIPHERS: Readonly<Record<string, KeyBlock["cryptographicAlgorithm"]>> = {
  AES: "AES",
  ARIA: "ARIA",
  CAMELLIA: "Camellia",
  SEED: "SEED",
  SM4: "SM4",
};

/** By the mode in the file's name; OpenSSL has not every mode of every cipher. */
function blockDriver(cipher: string, mode: string, { keySize }: Group): Driver | string {
  const algorithm = BLOCK_CIPHERS[cipher]!;
  const has = (openssl: Mode & string) => {
    const size = cipher === "SM4" || cipher === "SEED" ? "" : "-128";
    return getCipherInfo(`${cipher}${size}-${openssl}`.toLowerCase()) !== undefined;
  };
  const absent = `KMIP has ${cipher}-${mode}, this server does not: it is not in Node's OpenSSL`;
  switch (mode) {
    case "GCM":
      return has(mode) ? aead(algorithm, mode) : absent;
    // Where OpenSSL has it not, the server has it from CTR and CBC.
    case "CCM":
      return has("CTR") ? aead(algorithm, mode) : absent;
    case "GMAC":
      return has("GCM") ? gmac(algorithm) : absent;
    case "CBC-PKCS5":
      return has("CBC")
        ? unauthenticated(algorithm, { blockCipherMode: "CBC", paddingMethod: "PKCS5" })
        : absent;
    case "XTS":
      if (cipher === "AES" && keySize === 384)
        return "AES-192-XTS: IEEE 1619 and Node's OpenSSL have XTS of AES-128 and AES-256 only";
      return has("XTS") ? xts(algorithm) : absent;
    case "CMAC":
      return has("CBC") ? mac(algorithm, 16) : absent;
    case "WRAP":
      return has("ECB") ? keyWrap(algorithm, "NISTKeyWrap") : absent;
    case "KWP":
      return has("ECB") ? keyWrap(algorithm, "AESKeyWrapPadding") : absent;
  }
  return `KMIP has no Block Cipher Mode ${mode} (KMIP 2.1 §11.6)`;
}

function streamDriver({ algorithm, ivSize, counterSize }: Group): Driver | string {
  if (/^chacha20/i.test(String(algorithm)) && ivSize === 96 && counterSize === 32) return chacha20;
  return `KMIP has no ${String(algorithm)} with a counter of ${String(counterSize)} bits (KMIP 2.1 §4.16 Cryptographic Parameters)`;
}

const BY_TYPE: Readonly<Record<string, Driver>> = {
  EcdsaVerify: ecdsa,
  EddsaVerify: eddsa,
  DsaVerify: dsa,
  RsassaPkcs1Verify: rsaPkcs1,
  RsassaPkcs1Generate: rsaPkcs1Signing,
  RsassaPssVerify: rsaPss,
  RsassaPssWithParametersVerify: rsaPss,
  RsaesOaepDecrypt: oaep,
  RsaesPkcs1Decrypt: pkcs1,
  EcdhTest: ecdh,
  EcdhEcpointTest: ecdh,
  EcdhPemTest: ecdh,
  XdhComp: xdh,
  XdhAsnComp: xdh,
  XdhPemComp: xdh,
};

/** A hash or curve for which KMIP has no name, or which this server lacks. */
function unknownParameter({ type, sha, mgf, mgfSha, curve }: Group): string | undefined {
  for (const hash of [sha, mgfSha])
    if (hash !== undefined && !hashOf(hash))
      return `KMIP has no Hashing Algorithm ${String(hash)} (KMIP 2.1 §11.21)`;
  if (mgf !== undefined && mgf !== "MGF1")
    return `KMIP has no Mask Generator ${String(mgf)} (KMIP 2.1 §11.30)`;
  if (type.startsWith("Ecdh") && !curveOf(curve))
    return `this server does not have the curve ${String(curve)}`;
  return undefined;
}

/** HMAC, HKDF and PBKDF2, whose hash is in the file's name. */
function keyedDriver(name: string, type: string): Driver | string | undefined {
  const [, kind, hash] = /^(HMAC|HKDF-|PBKDF2-HMAC)(.+)$/.exec(name) ?? [];
  if (!kind || !hash) return undefined;
  const known = hashOf(hash);
  if (!known) return `KMIP has no Hashing Algorithm ${hash} (KMIP 2.1 §11.21)`;
  if (kind === "HKDF-" && type === "HkdfTest") return hkdf(hash);
  if (kind === "PBKDF2-HMAC" && type === "PbkdfTest") return pbkdf2(hash);
  if (kind !== "HMAC" || type !== "MacTest") return undefined;
  if (/^SHA_512_/.test(String(known.kmip)))
    return `KMIP has no Cryptographic Algorithm HMAC-${hash} (KMIP 2.1 §11.12)`;
  const algorithm =
    `HMAC_${String(known.kmip).replace(/^SHA_/, "SHA")}` as KeyBlock["cryptographicAlgorithm"];
  return mac(algorithm, known.length);
}

/** By algorithm and group type, where KMIP 1.4 to 2.1 has no operation. */
export const OUT_OF_REACH: readonly (readonly [RegExp, string])[] = [
  [/P1363/i, "a KMIP signature by (EC)DSA is DER; no parameter asks for the form of IEEE P1363"],
  [
    /Webcrypto|Jwk|JsonWeb|JOSE/i,
    "KMIP has no JSON Web Keys, signatures or encryption (KMIP 2.1 §4.26 Key Format Type)",
  ],
  [/BitcoinVerify/i, "KMIP has no rule for the low half of S"],
  [
    /Primality|EcCurveTest|EcPublicKeyVerify|EcPointTest|RsaKeyTest|Pkix/i,
    "no operation of KMIP checks numbers",
  ],
  [/ML-?DSA|ML-?KEM|SLH-?DSA|FALCON/i, "KMIP 2.1 has no such Cryptographic Algorithm (KMIP 2.1 §11.12)"],
  [/HPKE/i, "KMIP has no HPKE"],
  [/BLS|RISTRETTO|SECRETSTREAM|CHUNKED/i, "KMIP 2.1 has no such Cryptographic Algorithm (KMIP 2.1 §11.12)"],
  [
    /FF1|FF3|FPE/i,
    "KMIP has usage masks for format preserving encryption, but no such Block Cipher Mode (KMIP 2.1 §11.6)",
  ],
  [/PBES|PbeTest/i, "no operation of KMIP encrypts by a password"],
  [/XCHACHA20/i, "KMIP has no Cryptographic Algorithm XChaCha20 (KMIP 2.1 §11.12)"],
  [/CBC-?HS|CBC.*HMAC|A\d+CBC/i, "KMIP has no composition of CBC and HMAC"],
  [/KMAC|SIPHASH|VMAC/i, "KMIP 2.1 has no such Cryptographic Algorithm for MACs (KMIP 2.1 §11.12)"],
  [/AEGIS|ASCON|MORUS|SIV/i, "KMIP 2.1 has no such Cryptographic Algorithm (KMIP 2.1 §11.12)"],
];
