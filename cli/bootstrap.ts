/**
 * What the HSM's officer does once for a deployment: certificate authorities, signing keys, the trust list and a
 * tenant's master key, all made inside the HSM. Every step looks first, so it can be run again at each start.
 */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import type { Attributes, KmipClient } from "#protocol/kmip/index.ts";

const YEAR = 365 * 24 * 3600 * 1000;
const P256 = { name: "ECDSA", namedCurve: "P-256" } as const;

/** Who may use what, by HSM identity. CA, EDK, receipt, token and audit signatures have separate keys. */
const AUTHORITIES = [
  {
    name: "coffer/ca/instances",
    subject: "CN=Coffer instances CA,O=Coffer",
    users: "coffer-ra",
    recipients: true,
  },
  {
    name: "coffer/ca/custodians",
    subject: "CN=Coffer custodians CA,O=Coffer",
    users: "coffer-iam",
    recipients: false,
  },
] as const;
const SIGNERS = [
  { purpose: "edk", users: "coffer-kms" },
  { purpose: "receipt", users: "coffer-kms" },
  { purpose: "token", users: "coffer-iam" },
  { purpose: "audit", users: "coffer-iam" },
] as const;

export interface Bootstrapped {
  /** The root CA's public key, DER SubjectPublicKeyInfo: what a build of the microservice pins. */
  rootKey: Uint8Array;
}

/** Makes what is missing. `hsm` is a client with the officer's identity. */
export async function bootstrap(
  hsm: KmipClient,
  tenant: string,
  now: () => Date = () => new Date(),
): Promise<Bootstrapped> {
  const root = await keyPair(hsm, "coffer/ca/root/key", "coffer/ca/root/public", "", now());
  const rootName = "CN=Coffer root CA,O=Coffer";
  await certificate(hsm, "coffer/ca/root", {
    subject: rootName,
    issuer: rootName,
    key: root,
    signer: root,
    path: 1,
    now: now(),
  });
  for (const { name, subject, users, recipients } of AUTHORITIES) {
    const key = await keyPair(hsm, `${name}/key`, `${name}/public`, users, now());
    await certificate(hsm, name, {
      subject,
      issuer: rootName,
      key,
      signer: root,
      path: 0,
      recipients,
      now: now(),
    });
  }
  const keys = [];
  for (const { purpose, users } of SIGNERS) {
    const pair = await keyPair(hsm, `coffer/sign/${purpose}`, `coffer/sign/${purpose}/public`, users, now());
    keys.push({ ...(await publicJwk(pair.spki)), use: "sig", purpose });
  }
  await trustList(hsm, root, keys, now());
  await masterKey(hsm, tenant, now());
  return { rootKey: root.spki };
}

/** Makes the tenant's master key (AES-256, class `master`) if it has none. */
export async function masterKey(hsm: KmipClient, tenant: string, now: Date): Promise<void> {
  const name = `coffer/tenant/${tenant}/master`;
  if (await locate(hsm, name, "SymmetricKey")) return;
  await hsm.request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      name: named(name),
      cryptographicAlgorithm: "AES",
      cryptographicLength: 256,
      cryptographicUsageMask: ["WrapKey", "UnwrapKey"],
      sensitive: true,
      extractable: false,
      activationDate: now,
      vendorAttributes: [vendor("Class", "master"), vendor("Users", "coffer-iam,coffer-kms")],
    },
  });
}

interface KeyPair {
  privateKey: string;
  spki: Uint8Array<ArrayBuffer>;
}

async function keyPair(
  hsm: KmipClient,
  name: string,
  publicName: string,
  users: string,
  now: Date,
): Promise<KeyPair> {
  let privateKey = await locate(hsm, name, "PrivateKey");
  let publicKey = await locate(hsm, publicName, "PublicKey");
  if (!privateKey || !publicKey) {
    const made = await hsm.request("CreateKeyPair", {
      commonAttributes: {
        cryptographicAlgorithm: "ECDSA",
        cryptographicLength: 256,
        cryptographicDomainParameters: { recommendedCurve: "P_256" },
        activationDate: now,
      },
      privateKeyAttributes: {
        name: named(name),
        cryptographicUsageMask: ["Sign"],
        sensitive: true,
        extractable: false,
        ...(users ? { vendorAttributes: [vendor("Users", users)] } : {}),
      },
      publicKeyAttributes: {
        name: named(publicName),
        cryptographicUsageMask: ["Verify"],
        vendorAttributes: [vendor("Users", "*")],
      },
    });
    privateKey = made.privateKeyUniqueIdentifier;
    publicKey = made.publicKeyUniqueIdentifier;
  }
  const { object } = await hsm.request("Get", { uniqueIdentifier: publicKey, keyFormatType: "X_509" });
  const material = "publicKey" in object ? object.publicKey.keyBlock.keyValue : undefined;
  if (!material || material instanceof Uint8Array || !(material.keyMaterial instanceof Uint8Array))
    throw new Error(`The HSM gave no X.509 public key for ${publicName}`);
  return { privateKey, spki: new Uint8Array(material.keyMaterial) };
}

interface CertificateOrder {
  subject: string;
  issuer: string;
  key: KeyPair;
  signer: KeyPair;
  path: number;
  recipients?: boolean;
  now: Date;
}

async function certificate(hsm: KmipClient, name: string, order: CertificateOrder): Promise<void> {
  if (await locate(hsm, name, "Certificate")) return;
  const crypto = signingCrypto(hsm);
  const made = await x509.X509CertificateGenerator.create(
    {
      subject: order.subject,
      issuer: order.issuer,
      notBefore: new Date(order.now.getTime() - 60_000),
      notAfter: new Date(order.now.getTime() + 20 * YEAR),
      publicKey: order.key.spki,
      signingKey: {
        type: "private",
        algorithm: P256,
        identifier: order.signer.privateKey,
      } as unknown as CryptoKey,
      signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
      extensions: [
        new x509.BasicConstraintsExtension(true, order.path, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(new x509.PublicKey(order.key.spki)),
        await x509.AuthorityKeyIdentifierExtension.create(new x509.PublicKey(order.signer.spki)),
      ],
    },
    crypto,
  );
  await hsm.request("Register", {
    objectType: "Certificate",
    attributes: {
      name: named(name),
      vendorAttributes: [vendor("Users", "*"), ...(order.recipients ? [vendor("RecipientCA", "true")] : [])],
    },
    object: { certificate: { certificateType: "X_509", certificateValue: new Uint8Array(made.rawData) } },
  });
}

async function trustList(hsm: KmipClient, root: KeyPair, keys: object[], now: Date): Promise<void> {
  if (await locate(hsm, "coffer/trust", "OpaqueObject")) return;
  const iat = Math.floor(now.getTime() / 1000);
  const { kid } = await publicJwk(root.spki);
  const header = { alg: "ES256", typ: "jwk-set+jwt", kid };
  const payload = { iss: "coffer-root", iat, exp: iat + (20 * YEAR) / 1000, keys };
  const input = [header, payload].map((part) => encodeBase64url(utf8(JSON.stringify(part)))).join(".");
  const signature = await sign(hsm, root.privateKey, utf8(input));
  await hsm.request("Register", {
    objectType: "OpaqueObject",
    attributes: { name: named("coffer/trust"), vendorAttributes: [vendor("Users", "*")] },
    object: {
      opaqueObject: {
        opaqueDataType: 0x80000001,
        opaqueDataValue: utf8(`${input}.${encodeBase64url(signature)}`),
      },
    },
  });
}

/** A `Crypto` for @peculiar/x509 whose signatures are made by the HSM. */
function signingCrypto(hsm: KmipClient): Crypto {
  const subtle = {
    sign: async (_algorithm: unknown, key: { identifier: string }, data: BufferSource) =>
      (await sign(hsm, key.identifier, bytesOf(data))).buffer,
  };
  return { subtle, getRandomValues: crypto.getRandomValues.bind(crypto) } as unknown as Crypto;
}

/** ECDSA P-256 with SHA-256 inside the HSM; 64 bytes r || s (RFC 7518 §3.4). */
async function sign(hsm: KmipClient, key: string, data: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const { signatureData } = await hsm.request("Sign", {
    uniqueIdentifier: key,
    cryptographicParameters: { digitalSignatureAlgorithm: "ECDSAWithSHA256" },
    data,
  });
  if (!signatureData) throw new Error("The HSM answered Sign without a signature");
  return rawSignature(signatureData);
}

/** ECDSA-Sig-Value (RFC 3279 §2.2.3) to r || s of 32 bytes each. */
function rawSignature(der: Uint8Array): Uint8Array<ArrayBuffer> {
  const raw = new Uint8Array(64);
  let at = 2;
  for (const end of [32, 64]) {
    const length = der[at + 1]!;
    const integer = der.subarray(at + 2, at + 2 + length);
    const value = integer.length > 32 ? integer.subarray(integer.length - 32) : integer;
    raw.set(value, end - value.length);
    at += 2 + length;
  }
  return raw;
}

/** The public JWK of a P-256 SubjectPublicKeyInfo, with its RFC 7638 thumbprint as `kid`. */
async function publicJwk(spki: Uint8Array<ArrayBuffer>) {
  const key = await crypto.subtle.importKey("spki", spki, P256, true, ["verify"]);
  const { crv, x, y } = await crypto.subtle.exportKey("jwk", key);
  const canonical = utf8(JSON.stringify({ crv, kty: "EC", x, y }));
  const kid = encodeBase64url(new Uint8Array(await crypto.subtle.digest("SHA-256", canonical)));
  return { kty: "EC", crv, x, y, kid };
}

async function locate(
  hsm: KmipClient,
  name: string,
  objectType: Attributes["objectType"],
): Promise<string | undefined> {
  const { uniqueIdentifier } = await hsm.request("Locate", { attributes: { name: named(name), objectType } });
  return uniqueIdentifier?.[0];
}

function named(nameValue: string): Attributes["name"] {
  return [{ nameValue, nameType: "UninterpretedTextString" }];
}

function vendor(attributeName: string, attributeValue: string) {
  return { vendorIdentification: "Coffer", attributeName, attributeValue };
}

function bytesOf(data: BufferSource): Uint8Array {
  return data instanceof ArrayBuffer
    ? new Uint8Array(data)
    : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
