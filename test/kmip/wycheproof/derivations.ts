import type { RequestPayload } from "#protocol/kmip/index.ts";
import { kmipHash } from "./hashes.ts";
import { curveOf, materialOf, privateKey, publicKey, secretData } from "./objects.ts";
import { attempt, type Driver, gives, type Outcome } from "./outcome.ts";
import type { KmipSession } from "./session.ts";
import { bytesOf, numberOf, textOf, type Vector } from "./vectors.ts";

/** Derive Key, and Get of what came of it. */

type Bytes = Uint8Array<ArrayBuffer>;
type Derivation = Pick<RequestPayload<"DeriveKey">, "derivationMethod" | "derivationParameters">;

async function derives(
  session: KmipSession,
  bases: () => Promise<string[]>,
  derivation: Derivation,
  expected: Bytes,
  length: number,
): Promise<Outcome> {
  return attempt(async () => {
    const derived = await session.request("DeriveKey", {
      ...derivation,
      objectType: "SecretData",
      uniqueIdentifier: await bases(),
      attributes: { cryptographicLength: length * 8, cryptographicUsageMask: ["DeriveKey"] },
    });
    const { object } = await session.request("Get", derived);
    return gives(expected, materialOf(object));
  });
}

/** `HkdfTest` */
export const hkdf =
  (hash: string): Driver =>
  async (test, _group, session) => {
    const parameters = {
      derivationMethod: "HKDF",
      derivationParameters: {
        cryptographicParameters: { hashingAlgorithm: kmipHash(hash) },
        salt: bytesOf(test, "salt"),
        derivationData: bytesOf(test, "info"),
      },
    } as const;
    const base = async () => [await secretData(session, bytesOf(test, "ikm"))];
    const DeriveKey = await derives(session, base, parameters, bytesOf(test, "okm"), Number(test.size));
    return { DeriveKey };
  };

/** `PbkdfTest` */
export const pbkdf2 =
  (hash: string): Driver =>
  async (test, _group, session) => {
    const parameters = {
      derivationMethod: "PBKDF2",
      derivationParameters: {
        cryptographicParameters: { hashingAlgorithm: kmipHash(hash) },
        salt: bytesOf(test, "salt"),
        iterationCount: Number(test.iterationCount),
      },
    } as const;
    const base = async () => [await secretData(session, bytesOf(test, "password"))];
    return { DeriveKey: await derives(session, base, parameters, bytesOf(test, "dk"), Number(test.dkLen)) };
  };

interface Pair {
  privateKey(): Promise<string>;
  publicKey(): Promise<string>;
}

async function agrees(session: KmipSession, test: Vector, pair: Pair) {
  const shared = bytesOf(test, "shared");
  const bases = () => Promise.all([pair.privateKey(), pair.publicKey()]);
  const method = { derivationMethod: "AsymmetricKey", derivationParameters: {} } as const;
  // The length of what two keys of no curve would share is not known.
  return { DeriveKey: await derives(session, bases, method, shared, Math.max(1, shared.length)) };
}

/** The DER inside of a PEM text; what is not in a line of base64 is for the server to refuse. */
function derOfPem(text: string): Bytes {
  return new Uint8Array(Buffer.from(text.replace(/-----[^-]*-----/g, ""), "base64"));
}

/** `EcdhTest` (SubjectPublicKeyInfo), `EcdhEcpointTest` (the point), `EcdhPemTest`. */
export const ecdh: Driver = (test, group, session) => {
  const recommendedCurve = curveOf(group.curve);
  if (group.type === "EcdhPemTest")
    return agrees(session, test, {
      privateKey: () => privateKey(session, "PKCS_8", derOfPem(textOf(test, "private"))),
      publicKey: () => publicKey(session, "X_509", derOfPem(textOf(test, "public"))),
    });
  return agrees(session, test, {
    privateKey: () =>
      privateKey(session, "TransparentECPrivateKey", {
        recommendedCurve: recommendedCurve!,
        d: numberOf(test, "private"),
      }),
    publicKey: () =>
      group.type === "EcdhEcpointTest"
        ? publicKey(session, "TransparentECPublicKey", {
            recommendedCurve: recommendedCurve!,
            qString: bytesOf(test, "public"),
          })
        : publicKey(session, "X_509", bytesOf(test, "public")),
  });
};

/** PrivateKeyInfo of RFC 8410 §7, before the bytes of the key. */
const PKCS8 = {
  CURVE25519: "302e020100300506032b656e04220420",
  CURVE448: "3046020100300506032b656f043a0438",
};

/** `XdhComp` (the bytes of RFC 7748), `XdhAsnComp`, `XdhPemComp`. */
export const xdh: Driver = (test, group, session) => {
  const recommendedCurve = curveOf(group.curve) as keyof typeof PKCS8;
  const [ours, theirs] = [textOf(test, "private"), textOf(test, "public")];
  const hex = (text: string): Bytes => new Uint8Array(Buffer.from(text, "hex"));
  switch (group.type) {
    case "XdhPemComp":
      return agrees(session, test, {
        privateKey: () => privateKey(session, "PKCS_8", derOfPem(ours)),
        publicKey: () => publicKey(session, "X_509", derOfPem(theirs)),
      });
    case "XdhAsnComp":
      return agrees(session, test, {
        privateKey: () => privateKey(session, "PKCS_8", hex(ours)),
        publicKey: () => publicKey(session, "X_509", hex(theirs)),
      });
  }
  return agrees(session, test, {
    privateKey: () => privateKey(session, "PKCS_8", hex(PKCS8[recommendedCurve] + ours)),
    publicKey: () => publicKey(session, "TransparentECPublicKey", { recommendedCurve, qString: hex(theirs) }),
  });
};
