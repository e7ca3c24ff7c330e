/**
 * What the HSM's officer does for a deployment: certificate authorities, signing keys and the trust list once, and a master
 * key and a key for seeds for each tenant, all made inside the HSM. Every step looks first, so it can be run again at each start.
 */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { certificateCrypto, certificateSigningKey } from "#edge/hsm/certify.ts";
import { derToRaw } from "#edge/hsm/ecdsa.ts";
import { signCompact } from "#edge/hsm/jws.ts";
import type { Signer } from "#edge/hsm/signer.ts";
import { utf8 } from "#protocol/bytes.ts";
import { CLOCK_TOLERANCE, seconds } from "#protocol/clock.ts";
import {
  CERTIFICATE,
  CUSTODIANS_CA,
  type Domain,
  EVERYBODY,
  INSTANCES_CA,
  named,
  POLICY,
  PURPOSES,
  policy,
  ROOT_CA,
  SIGN_TYPE,
  SIGNER,
  TRUST_LIST,
  users,
} from "#protocol/hierarchy/index.ts";
import { jwsParts } from "#protocol/jws.ts";
import {
  findKey,
  jwkFromSpki,
  TRUST_TYPE,
  type TrustedKey,
  thumbprint,
  trustListPayload,
  verifyTrustList,
} from "#protocol/keys/index.ts";
import type { KmipClient } from "#protocol/kmip/index.ts";
import { ensurePolicy, locate } from "./hsm-object.ts";
import { ensureMasterKey, type TenantKey } from "./master-key.ts";
import { ensureSeedKey } from "./seed-key.ts";

const YEAR = 365 * 24 * 3600 * 1000;

export interface Bootstrapped {
  /** The root CA's public key, DER SubjectPublicKeyInfo: what a build of the microservice pins. */
  rootKey: Uint8Array;
}

/** HSMs of domains that have one of their own, each as its officer reaches it. */
export type ApartHsms = Partial<Record<"ra" | "iam" | "audit", KmipClient>>;

/**
 * Makes what is missing. `hsm` is a client with the officer's identity, at the HSM of the KMS: it has the root and the keys of
 * the hierarchy. A domain that has an HSM `apart` has its signing keys there, and everywhere there is what all go by: the
 * root's and its authorities' certificates and the trust list. Throws `OtherLevel`.
 */
export async function bootstrap(
  hsm: KmipClient,
  tenants: TenantKey[],
  now: Date,
  apart: ApartHsms = {},
): Promise<Bootstrapped> {
  const all = new Set([hsm, ...Object.values(apart)]);
  const ofDomain = (domain: Domain) =>
    (domain in apart ? apart[domain as keyof ApartHsms] : undefined) ?? hsm;
  const root = await keyPair(hsm, { ...ROOT_CA, now });
  await authority(hsm, {
    name: ROOT_CA.certificate,
    subject: ROOT_CA.subject,
    key: root,
    root,
    path: 1,
    now,
  });
  for (const { certificate: name, subject, recipients, ...pair } of [INSTANCES_CA, CUSTODIANS_CA]) {
    const key = await keyPair(ofDomain(pair.user), { ...pair, signs: CERTIFICATE, now });
    await authority(hsm, { name, subject, key, root, path: 0, recipients, now });
  }
  for (const other of all)
    for (const { certificate } of [ROOT_CA, INSTANCES_CA, CUSTODIANS_CA])
      if (other !== hsm) await copyCertificate(hsm, other, certificate);
  const keys: TrustedKey[] = [];
  for (const purpose of PURPOSES) {
    const spki = await keyPair(ofDomain(SIGNER[purpose].user), {
      ...SIGNER[purpose],
      signs: SIGN_TYPE[purpose],
      now,
    });
    keys.push({ ...(await publicJwk(spki)), use: "sig", purpose });
  }
  const list = await trustList(hsm, root, keys, now);
  for (const other of all) await keepList(other, list);
  for (const tenant of tenants) {
    await ensureMasterKey(hsm, tenant, now);
    await ensureSeedKey(hsm, tenant, now);
  }
  return { rootKey: root };
}

interface KeyPairOrder {
  /** Names of the two objects. */
  key: string;
  publicKey: string;
  /** Who signs with it; the officer alone where nobody is named. */
  user?: Domain;
  /** What it signs (`POLICY.signType`); anything by default. */
  signs?: string;
  now: Date;
}

/** Makes an EC P-256 pair that signs, unless it exists; returns the public half's SubjectPublicKeyInfo. */
async function keyPair(
  hsm: KmipClient,
  { key, publicKey: publicName, user, signs, now }: KeyPairOrder,
): Promise<Uint8Array<ArrayBuffer>> {
  const vendorAttributes = [
    ...(user ? [users(user)] : []),
    ...(signs ? [policy(POLICY.signType, signs)] : []),
  ];
  let publicKey = await locate(hsm, publicName, "PublicKey");
  if (!publicKey) {
    const made = await hsm.request("CreateKeyPair", {
      commonAttributes: {
        cryptographicAlgorithm: "ECDSA",
        cryptographicLength: 256,
        cryptographicDomainParameters: { recommendedCurve: "P_256" },
        activationDate: now,
      },
      privateKeyAttributes: {
        name: named(key),
        cryptographicUsageMask: ["Sign"],
        sensitive: true,
        extractable: false,
        vendorAttributes,
      },
      publicKeyAttributes: {
        name: named(publicName),
        cryptographicUsageMask: ["Verify"],
        vendorAttributes: [policy(POLICY.users, EVERYBODY)],
      },
    });
    publicKey = made.publicKeyUniqueIdentifier;
  } else if (signs) {
    const privateKey = await locate(hsm, key, "PrivateKey");
    if (privateKey) await ensurePolicy(hsm, privateKey, POLICY.signType, signs);
  }
  const { object } = await hsm.request("Get", { uniqueIdentifier: publicKey, keyFormatType: "X_509" });
  const value = object.publicKey?.keyBlock.keyValue;
  if (!value || value instanceof Uint8Array || !(value.keyMaterial instanceof Uint8Array))
    throw new Error(`The HSM gave no X.509 public key for ${publicName}`);
  return new Uint8Array(value.keyMaterial);
}

interface Authority {
  name: string;
  subject: string;
  /** SubjectPublicKeyInfo of the authority and of the root that signs it. */
  key: Uint8Array<ArrayBuffer>;
  root: Uint8Array<ArrayBuffer>;
  /** How many authorities may follow below. */
  path: number;
  /** Whether the HSM releases keys to what this authority certifies. */
  recipients?: boolean;
  now: Date;
}

async function authority(hsm: KmipClient, order: Authority): Promise<void> {
  if (await locate(hsm, order.name, "Certificate")) return;
  const made = await x509.X509CertificateGenerator.create(
    {
      subject: order.subject,
      issuer: ROOT_CA.subject,
      notBefore: new Date(order.now.getTime() - CLOCK_TOLERANCE * 1000),
      notAfter: new Date(order.now.getTime() + 20 * YEAR),
      publicKey: order.key,
      signingKey: certificateSigningKey,
      signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
      extensions: [
        new x509.BasicConstraintsExtension(true, order.path, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(new x509.PublicKey(order.key), false, crypto),
        await x509.AuthorityKeyIdentifierExtension.create(new x509.PublicKey(order.root), false, crypto),
      ],
    },
    certificateCrypto(signer(hsm), ROOT_CA.key),
  );
  const { name, recipients } = order;
  await registerCertificate(hsm, name, new Uint8Array(made.rawData), recipients);
}

async function registerCertificate(
  hsm: KmipClient,
  name: string,
  certificateValue: Uint8Array,
  recipients = false,
): Promise<void> {
  await hsm.request("Register", {
    objectType: "Certificate",
    attributes: {
      name: named(name),
      vendorAttributes: [
        policy(POLICY.users, EVERYBODY),
        ...(recipients ? [policy(POLICY.recipientAuthority, "true")] : []),
      ],
    },
    object: { certificate: { certificateType: "X_509", certificateValue } },
  });
}

/** Where keys are released to nobody, no authority is a recipients'. */
async function copyCertificate(from: KmipClient, to: KmipClient, name: string): Promise<void> {
  if (await locate(to, name, "Certificate")) return;
  const uniqueIdentifier = await locate(from, name, "Certificate");
  if (!uniqueIdentifier) throw new Error(`The HSM has no certificate named ${name}`);
  const { object } = await from.request("Get", { uniqueIdentifier });
  if (!object.certificate) throw new Error(`${name} is not a certificate`);
  await registerCertificate(to, name, object.certificate.certificateValue);
}

/**
 * The keys that sign, each with its purpose, signed by the root (docs/decisions/0002): the list that there is, or a new one in
 * the place of one that lacks a key or ends within a year.
 */
async function trustList(
  hsm: KmipClient,
  root: Uint8Array,
  current: TrustedKey[],
  now: Date,
): Promise<string> {
  const iat = seconds(now);
  const kept = await keptList(hsm);
  const before = kept && (await readList(kept.token, root));
  // What these signed is kept for long, so they stay when another key signs.
  const archived = (before?.keys ?? []).filter(
    ({ purpose, kid }) => /^(edk|audit)$/.test(purpose) && !current.some((key) => key.kid === kid),
  );
  const keys = [...current, ...archived];
  if (before && before.iat <= iat && before.exp - iat >= YEAR / 1000) {
    const same = keys.length === before.keys.length;
    if (same && keys.every(({ kid, purpose }) => findKey(before, kid, purpose)) && kept) return kept.token;
  }
  // Seconds of the clock, so that it grows even when the list before is lost.
  const serial = Math.max((before?.serial ?? 0) + 1, iat);
  const { kid } = await publicJwk(root);
  const payload = await trustListPayload(
    keys.map(({ purpose, ...key }) => ({ key, purpose })),
    { serial, iat, exp: iat + (20 * YEAR) / 1000 },
  );
  return signCompact(signer(hsm), ROOT_CA.key, { typ: TRUST_TYPE, kid }, payload);
}

/** Has an HSM keep this list, in the place of the one that it has. */
async function keepList(hsm: KmipClient, token: string): Promise<void> {
  const kept = await keptList(hsm);
  if (kept?.token === token) return;
  const register = {
    operation: "Register" as const,
    payload: {
      objectType: "OpaqueObject" as const,
      attributes: { name: named(TRUST_LIST), vendorAttributes: [policy(POLICY.users, EVERYBODY)] },
      object: { opaqueObject: { opaqueDataType: 0x80000001, opaqueDataValue: utf8(token) } },
    },
  };
  // A name is free only when its object is gone: both in one message, so that nothing comes between.
  const destroy = {
    operation: "Destroy" as const,
    payload: { uniqueIdentifier: kept?.uniqueIdentifier },
  };
  const answers = await hsm.batch(kept ? [destroy, register] : [register], {
    batchErrorContinuationOption: "Stop",
    batchOrderOption: true,
  });
  if (answers.at(-1)?.operation !== "Register" || answers.at(-1)?.resultStatus !== "Success")
    throw new Error("The HSM did not take the trust list");
}

async function keptList(hsm: KmipClient): Promise<{ uniqueIdentifier: string; token: string } | undefined> {
  const uniqueIdentifier = await locate(hsm, TRUST_LIST, "OpaqueObject");
  if (!uniqueIdentifier) return undefined;
  const { object } = await hsm.request("Get", { uniqueIdentifier });
  return { uniqueIdentifier, token: new TextDecoder().decode(object.opaqueObject?.opaqueDataValue) };
}

/** The list that the root once signed, expired or not; undefined when it is of another form. */
async function readList(token: string, root: Uint8Array) {
  try {
    const { iat } = JSON.parse(new TextDecoder().decode(jwsParts(token).payload));
    return await verifyTrustList(token, root, iat);
  } catch {
    return undefined;
  }
}

/** The public JWK of a P-256 SubjectPublicKeyInfo, with its RFC 7638 thumbprint as `kid`. */
async function publicJwk(spki: Uint8Array) {
  const jwk = jwkFromSpki(spki);
  return { ...jwk, kid: await thumbprint(jwk) };
}

/** Signs with the private key of this Name. */
function signer(hsm: KmipClient): Signer {
  return {
    async sign(name, data) {
      const uniqueIdentifier = await locate(hsm, name, "PrivateKey");
      if (!uniqueIdentifier) throw new Error(`The HSM has no private key named ${name}`);
      const signed = await hsm.request("Sign", {
        uniqueIdentifier,
        cryptographicParameters: { digitalSignatureAlgorithm: "ECDSAWithSHA256" },
        data: new Uint8Array(data),
      });
      if (!signed.signatureData) throw new Error("The HSM answered Sign without a signature");
      return derToRaw(signed.signatureData);
    },
  };
}
