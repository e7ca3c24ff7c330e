import type { KeyBlock, ManagedObject, TransparentKey } from "#protocol/kmip/index.ts";
import type { KmipSession } from "./session.ts";

/** Objects as the vectors need them, registered in a session. */

type Bytes = Uint8Array<ArrayBuffer>;
type Algorithm = KeyBlock["cryptographicAlgorithm"];
type Curve = NonNullable<TransparentKey["recommendedCurve"]>;

export function symmetricKey(
  session: KmipSession,
  algorithm: Algorithm,
  keyMaterial: Bytes,
): Promise<string> {
  const described = { cryptographicAlgorithm: algorithm, cryptographicLength: keyMaterial.length * 8 };
  const keyBlock = { keyFormatType: "Raw", keyValue: { keyMaterial }, ...described } as const;
  return session.register("SymmetricKey", { symmetricKey: { keyBlock } }, described);
}

export function secretData(session: KmipSession, keyMaterial: Bytes): Promise<string> {
  const keyBlock = { keyFormatType: "Opaque", keyValue: { keyMaterial } } as const;
  return session.register("SecretData", { secretData: { secretDataType: "Password", keyBlock } });
}

export function publicKey(
  session: KmipSession,
  keyFormatType: KeyBlock["keyFormatType"],
  keyMaterial: Bytes | TransparentKey,
  algorithm?: Algorithm,
): Promise<string> {
  const keyBlock = {
    keyFormatType,
    keyValue: { keyMaterial },
    ...(algorithm ? { cryptographicAlgorithm: algorithm } : {}),
  };
  return session.register("PublicKey", { publicKey: { keyBlock } });
}

export function privateKey(
  session: KmipSession,
  keyFormatType: KeyBlock["keyFormatType"],
  keyMaterial: Bytes | TransparentKey,
): Promise<string> {
  return session.register("PrivateKey", {
    privateKey: { keyBlock: { keyFormatType, keyValue: { keyMaterial } } },
  });
}

/** The bytes of a key, or what wraps them. */
export function materialOf(object: ManagedObject): Uint8Array | undefined {
  const keyValue = (object.symmetricKey ?? object.secretData)?.keyBlock.keyValue;
  const material = keyValue instanceof Uint8Array ? keyValue : keyValue?.keyMaterial;
  return material instanceof Uint8Array ? material : undefined;
}

/** KMIP's name of a curve in the vectors' words; undefined for curves that this server does not have. */
export function curveOf(name: unknown): Curve | undefined {
  const text = String(name);
  return CURVES[text] ?? (/^brainpoolP\d+[rt]1$/.test(text) ? (text.toUpperCase() as Curve) : undefined);
}

const CURVES: Readonly<Record<string, Curve>> = {
  secp224r1: "P_224",
  secp256r1: "P_256",
  secp384r1: "P_384",
  secp521r1: "P_521",
  secp256k1: "SECP256K1",
  sect283k1: "K_283",
  sect283r1: "B_283",
  sect409k1: "K_409",
  sect409r1: "B_409",
  sect571k1: "K_571",
  sect571r1: "B_571",
  curve25519: "CURVE25519",
  curve448: "CURVE448",
};
