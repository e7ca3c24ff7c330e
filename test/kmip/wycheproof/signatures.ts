import { createHash } from "node:crypto";
import type { CryptographicParameters, KeyBlock, TransparentKey } from "#protocol/kmip/index.ts";
import { kmipHash } from "./hashes.ts";
import { curveOf, privateKey, publicKey } from "./objects.ts";
import { attempt, type Driver, makes, type Outcome, says } from "./outcome.ts";
import type { KmipSession } from "./session.ts";
import { bytesOf, type Group, numberOf, type Vector } from "./vectors.ts";

/** Signature Verify, with the key in each form that KMIP has for it; Sign where the signature is determined. */

async function verified(
  session: KmipSession,
  test: Vector,
  cryptographicParameters: CryptographicParameters,
  key: () => Promise<string>,
): Promise<Outcome> {
  return attempt(async () => {
    const { validityIndicator } = await session.use("SignatureVerify", {
      uniqueIdentifier: await key(),
      cryptographicParameters,
      data: bytesOf(test, "msg"),
      signatureData: bytesOf(test, "sig"),
    });
    return says(validityIndicator);
  });
}

/** With the digest of the message, as a client that made it sends it: it cannot come in pieces. */
async function verifiedDigest(
  session: KmipSession,
  test: Vector,
  group: Group,
  cryptographicParameters: CryptographicParameters,
): Promise<Outcome> {
  return attempt(async () => {
    const digest = createHash(String(group.sha).replace(/^SHA-/, "sha").replace("/", "-"));
    const { validityIndicator } = await session.request("SignatureVerify", {
      uniqueIdentifier: await publicKey(session, "X_509", derOf(group)),
      cryptographicParameters,
      digestedData: new Uint8Array(digest.update(bytesOf(test, "msg")).digest()),
      signatureData: bytesOf(test, "sig"),
    });
    return says(validityIndicator);
  });
}

/** The key of a group, under its present name or the one of the older files. */
const keyOf = (group: Group) => (group.publicKey ?? group.key) as Record<string, unknown>;
const derOf = (group: Group) => bytesOf(group, "publicKeyDer" in group ? "publicKeyDer" : "keyDer");

async function verifiedByBoth(
  session: KmipSession,
  test: Vector,
  group: Group,
  parameters: CryptographicParameters,
  other?: () => Promise<string>,
) {
  const der = () => publicKey(session, "X_509", derOf(group));
  const [spki, transparent] = await Promise.all([
    verified(session, test, parameters, der),
    other && verified(session, test, parameters, other),
  ]);
  return {
    "SignatureVerify (X.509)": spki,
    ...(transparent ? { "SignatureVerify (other)": transparent } : {}),
  };
}

/** Curves on which this server verifies digests. */
const DIGESTS: ReadonlySet<unknown> = new Set(["secp256r1", "secp384r1", "secp521r1", "secp256k1"]);

/** `EcdsaVerify`: signatures in DER. */
export const ecdsa: Driver = async (test, group, session) => {
  const { curve, uncompressed } = keyOf(group);
  const recommendedCurve = curveOf(curve);
  const point = () =>
    publicKey(session, "TransparentECPublicKey", {
      recommendedCurve: recommendedCurve!,
      qString: bytesOf({ uncompressed }, "uncompressed"),
    });
  const parameters = { hashingAlgorithm: kmipHash(group.sha) };
  const byMessage = verifiedByBoth(session, test, group, parameters, recommendedCurve ? point : undefined);
  if (!DIGESTS.has(curve) || session.inPieces) return byMessage;
  const digested = verifiedDigest(session, test, group, parameters);
  return { ...(await byMessage), "SignatureVerify (digest)": await digested };
};

/** `EddsaVerify` */
export const eddsa: Driver = (test, group, session) => {
  const { curve, pk } = keyOf(group);
  const algorithm = /448/.test(String(curve)) ? "Ed448" : "Ed25519";
  const raw = () => publicKey(session, "Raw", bytesOf({ pk }, "pk"), algorithm);
  return verifiedByBoth(session, test, group, {}, raw);
};

/** `DsaVerify`: signatures in DER. */
export const dsa: Driver = (test, group, session) => {
  const numbers = keyOf(group);
  const key: TransparentKey = {
    p: numberOf(numbers, "p"),
    q: numberOf(numbers, "q"),
    g: numberOf(numbers, "g"),
    y: numberOf(numbers, "y"),
  };
  const parameters = { hashingAlgorithm: kmipHash(group.sha) };
  return verifiedByBoth(session, test, group, parameters, () =>
    publicKey(session, "TransparentDSAPublicKey", key),
  );
};

const rsaKey = (session: KmipSession, group: Group) => () => {
  const numbers = (group.publicKey ?? group) as Record<string, unknown>;
  const modulus = "modulus" in numbers ? "modulus" : "n";
  return publicKey(session, "TransparentRSAPublicKey", {
    modulus: numberOf(numbers, modulus),
    publicExponent: numberOf(numbers, modulus === "n" ? "e" : "publicExponent"),
  });
};

/** `RsassaPkcs1Verify` */
export const rsaPkcs1: Driver = (test, group, session) =>
  verifiedByBoth(
    session,
    test,
    group,
    { paddingMethod: "PKCS1V1_5", hashingAlgorithm: kmipHash(group.sha) },
    rsaKey(session, group),
  );

/** `RsassaPssVerify`; with `RsassaPssWithParametersVerify` the key too says how it signs. */
export const rsaPss: Driver = async (test, group, session) => {
  const parameters: CryptographicParameters = {
    paddingMethod: "PSS",
    hashingAlgorithm: kmipHash(group.sha),
    maskGenerator: "MGF1",
    maskGeneratorHashingAlgorithm: kmipHash(group.mgfSha),
    saltLength: Number(group.sLen),
  };
  const byMessage = verifiedByBoth(session, test, group, parameters, rsaKey(session, group));
  // A key that says how it signs is OpenSSL's to use, with messages.
  if (group.type !== "RsassaPssVerify" || session.inPieces) return byMessage;
  const digested = verifiedDigest(session, test, group, parameters);
  return { ...(await byMessage), "SignatureVerify (digest)": await digested };
};

/** `RsassaPkcs1Generate`: PKCS#1 v1.5 has one signature of a message. */
export const rsaPkcs1Signing: Driver = async (test, group, session) => {
  const cryptographicParameters = {
    paddingMethod: "PKCS1V1_5",
    hashingAlgorithm: kmipHash(group.sha),
  } as const;
  const keyFormatType: KeyBlock["keyFormatType"] = "PKCS_8";
  const Sign = await attempt(async () => {
    const { signatureData } = await session.use("Sign", {
      uniqueIdentifier: await privateKey(session, keyFormatType, bytesOf(group, "privateKeyPkcs8")),
      cryptographicParameters,
      data: bytesOf(test, "msg"),
    });
    return makes(bytesOf(test, "sig"), signatureData);
  });
  return { Sign };
};
