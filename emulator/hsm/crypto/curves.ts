import type { TransparentKey } from "#protocol/kmip/index.ts";

/** Elliptic curves in Weierstrass form, of 224 bits and more, by their KMIP name (KMIP 2.1 §11.45 Recommended Curve). */

export type CurveName = NonNullable<TransparentKey["recommendedCurve"]>;

export interface Curve {
  openssl: string;
  oid: string;
  /** Bits of a coordinate. */
  bits: number;
  /** Bytes of a coordinate. */
  length: number;
  /** Bytes of the order, and so of a private key. */
  scalar: number;
}

const curve = (openssl: string, oid: string, bits: number, orderBits = bits): Curve => ({
  openssl,
  oid,
  bits,
  length: Math.ceil(bits / 8),
  scalar: Math.ceil(orderBits / 8),
});

const CERTICOM = "1.3.132.0";
const BRAINPOOL = "1.3.36.3.3.2.8.1.1";

export const CURVES: Partial<Record<CurveName, Curve>> = {
  P_224: curve("secp224r1", `${CERTICOM}.33`, 224),
  P_256: curve("prime256v1", "1.2.840.10045.3.1.7", 256),
  P_384: curve("secp384r1", `${CERTICOM}.34`, 384),
  P_521: curve("secp521r1", `${CERTICOM}.35`, 521),
  SECP256K1: curve("secp256k1", `${CERTICOM}.10`, 256),
  K_283: curve("sect283k1", `${CERTICOM}.16`, 283),
  B_283: curve("sect283r1", `${CERTICOM}.17`, 283),
  K_409: curve("sect409k1", `${CERTICOM}.36`, 409, 407),
  B_409: curve("sect409r1", `${CERTICOM}.37`, 409),
  K_571: curve("sect571k1", `${CERTICOM}.38`, 571),
  B_571: curve("sect571r1", `${CERTICOM}.39`, 571),
  BRAINPOOLP224R1: curve("brainpoolP224r1", `${BRAINPOOL}.5`, 224),
  BRAINPOOLP224T1: curve("brainpoolP224t1", `${BRAINPOOL}.6`, 224),
  BRAINPOOLP256R1: curve("brainpoolP256r1", `${BRAINPOOL}.7`, 256),
  BRAINPOOLP256T1: curve("brainpoolP256t1", `${BRAINPOOL}.8`, 256),
  BRAINPOOLP320R1: curve("brainpoolP320r1", `${BRAINPOOL}.9`, 320),
  BRAINPOOLP320T1: curve("brainpoolP320t1", `${BRAINPOOL}.10`, 320),
  BRAINPOOLP384R1: curve("brainpoolP384r1", `${BRAINPOOL}.11`, 384),
  BRAINPOOLP384T1: curve("brainpoolP384t1", `${BRAINPOOL}.12`, 384),
  BRAINPOOLP512R1: curve("brainpoolP512r1", `${BRAINPOOL}.13`, 512),
  BRAINPOOLP512T1: curve("brainpoolP512t1", `${BRAINPOOL}.14`, 512),
};

export function curveOfOpenssl(name: string | undefined): CurveName | undefined {
  const found = Object.entries(CURVES).find(([, one]) => one?.openssl === name);
  return found?.[0] as CurveName | undefined;
}
