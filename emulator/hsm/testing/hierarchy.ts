import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import {
  EVERYBODY,
  IDENTITY,
  masterKeyName,
  named,
  POLICY,
  policy,
  ROOT_CA,
  TO_RECIPIENT,
  UNDER_PARENT,
  USAGE,
} from "#protocol/hierarchy/index.ts";
import {
  type Attributes,
  item,
  type KeyWrappingSpecification,
  type KmipClient,
  type ManagedObject,
  payloadOf,
  type RequestPayload,
} from "#protocol/kmip/index.ts";
import type { Level } from "#protocol/level.ts";
import type { TestHsm } from "./deployment.ts";

/** For tests: a master key, an account key, a data key and recipients, made as the edge makes them. */

export type Bytes = Uint8Array<ArrayBuffer>;
export const PAST = new Date(Date.now() - 60_000);
const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const HOUR = 3600_000;

export function aesKw(uniqueIdentifier: string): KeyWrappingSpecification {
  return {
    wrappingMethod: "Encrypt",
    encodingOption: "NoEncoding",
    encryptionKeyInformation: {
      uniqueIdentifier,
      cryptographicParameters: UNDER_PARENT,
    },
  };
}

export function oaep(uniqueIdentifier: string): KeyWrappingSpecification {
  return {
    wrappingMethod: "Encrypt",
    encodingOption: "NoEncoding",
    encryptionKeyInformation: {
      uniqueIdentifier,
      cryptographicParameters: TO_RECIPIENT,
    },
  };
}

export const AES: Attributes = { cryptographicAlgorithm: "AES", cryptographicLength: 256 };

/** An Import of a key that a resident key wrapped. */
export function wrappedImport(
  uniqueIdentifier: string,
  parent: string,
  wrapped: Bytes,
  attributes: Attributes = { ...AES, activationDate: PAST },
): RequestPayload<"Import"> {
  return {
    uniqueIdentifier,
    objectType: "SymmetricKey",
    keyWrapType: "NotWrapped",
    attributes,
    object: {
      symmetricKey: {
        keyBlock: {
          keyFormatType: "Raw",
          keyValue: { keyMaterial: wrapped },
          cryptographicAlgorithm: attributes.cryptographicAlgorithm ?? "AES",
          cryptographicLength: 256,
          keyWrappingData: aesKw(parent),
        },
      },
    },
  };
}

/** The bytes in the key block of an answer to Get. */
export function keyBytes({ object }: { object: ManagedObject }): Bytes {
  const holder = object.symmetricKey ?? object.publicKey ?? object.privateKey ?? object.secretData;
  const value = holder?.keyBlock.keyValue;
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (value?.keyMaterial instanceof Uint8Array) return new Uint8Array(value.keyMaterial);
  throw new TypeError("no key bytes");
}

/** The tenant that the hierarchy belongs to. */
export const TENANT = "Test + Sons, Inc.";

export async function createMaster(
  officer: KmipClient,
  name: string,
  tenant: string | null = TENANT,
  level?: Level,
): Promise<string> {
  const { uniqueIdentifier } = await officer.request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      ...AES,
      name: named(name),
      cryptographicUsageMask: ["WrapKey", "UnwrapKey"],
      activationDate: PAST,
      vendorAttributes: [
        policy(POLICY.class, "master"),
        ...(tenant === null ? [] : [policy(POLICY.tenant, tenant)]),
        ...(level === undefined ? [] : [policy(POLICY.level, level)]),
      ],
    },
  });
  return uniqueIdentifier;
}

/** Makes an account key as the KMS does and returns it as the master key wraps it. */
export async function createAccount(kms: KmipClient, master: string): Promise<Bytes> {
  const answers = await kms.batch(
    [
      item("Create", {
        objectType: "SymmetricKey",
        attributes: {
          ...AES,
          cryptographicUsageMask: ["WrapKey", "UnwrapKey"],
          activationDate: PAST,
          vendorAttributes: [policy(POLICY.parent, master)],
        },
      }),
      item("Get", { keyWrappingSpecification: aesKw(master) }),
      item("Revoke", { revocationReason: { revocationReasonCode: "CessationOfOperation" } }),
      item("Destroy", {}),
    ] as const,
    { batchErrorContinuationOption: "Continue" },
  );
  for (const answer of answers) payloadOf(answer);
  return keyBytes(payloadOf(answers[1]));
}

/** Brings an account key back as the KMS does; it stays until it is destroyed. */
export async function importAccount(kms: KmipClient, master: string, wrapped: Bytes): Promise<string> {
  const uid = crypto.randomUUID();
  await kms.request("Import", wrappedImport(uid, master, wrapped));
  return uid;
}

/** Makes a data key as the KMS does; it stays until it is destroyed. */
export async function createData(kms: KmipClient, account: string): Promise<string> {
  const { uniqueIdentifier } = await kms.request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      ...AES,
      cryptographicUsageMask: [...USAGE.data],
      vendorAttributes: [policy(POLICY.parent, account)],
    },
  });
  return uniqueIdentifier;
}

export interface Authority {
  uid: string;
  issue(order?: CertificateOrder): Promise<{ der: Bytes; keys: CryptoKeyPair; spki: Bytes }>;
}

export interface CertificateOrder {
  keys?: CryptoKeyPair;
  usage?: x509.KeyUsageFlags;
  notBefore?: Date;
  notAfter?: Date;
  ca?: boolean;
  /** Organizations of the subject. */
  tenants?: string[];
  /** Certificate policies. */
  policies?: string[];
}

export interface AuthorityOrder {
  /** Whether the officer marks it as one that certifies recipients. */
  trusted?: boolean;
  ca?: boolean;
  /** What the certificate says of its own use. */
  usage?: x509.KeyUsageFlags;
  notAfter?: Date;
  /** Who certifies it: the root of the hierarchy, unless the test has another. */
  root?: Root;
  /** A critical extension that nobody knows. */
  unknown?: boolean;
}

export interface Root {
  uid: string;
  name: string;
  keys: CryptoKeyPair;
}

export async function rsaKeys(modulusLength = 3072, exponent = [1, 0, 1]): Promise<CryptoKeyPair> {
  const algorithm = {
    name: "RSA-OAEP",
    hash: "SHA-256",
    modulusLength,
    publicExponent: Uint8Array.from(exponent),
  };
  return crypto.subtle.generateKey(algorithm, true, ["wrapKey", "unwrapKey", "encrypt", "decrypt"]);
}

let usual: Promise<CryptoKeyPair> | undefined;

/** One RSA pair for all certificates whose key does not matter: making them is slow. */
function usualKeys(): Promise<CryptoKeyPair> {
  usual ??= rsaKeys();
  return usual;
}

export interface RootOrder {
  usage?: x509.KeyUsageFlags;
  notAfter?: Date;
  /** How many authorities may follow. */
  path?: number;
  ca?: boolean;
  /** The Name of its object. */
  name?: string;
  keys?: CryptoKeyPair;
}

/** A root outside the HSM, whose certificate the client (the officer, as a rule) registers. */
export async function createRoot(officer: KmipClient, order: RootOrder = {}): Promise<Root> {
  const keys = order.keys ?? (await crypto.subtle.generateKey(P256, true, ["sign", "verify"]));
  const name = "CN=Test root CA, O=Coffer";
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name,
    keys,
    signingAlgorithm: P256,
    notBefore: new Date(Date.now() - HOUR),
    notAfter: order.notAfter ?? new Date(Date.now() + 2000 * HOUR),
    extensions: [
      new x509.BasicConstraintsExtension(order.ca ?? true, order.path ?? 1, true),
      new x509.KeyUsagesExtension(order.usage ?? x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  const attributes = {
    name: named(order.name ?? ROOT_CA.certificate),
    vendorAttributes: [policy(POLICY.users, EVERYBODY)],
  };
  const uid = await registerCertificate(officer, new Uint8Array(certificate.rawData), attributes);
  return { uid, name, keys };
}

/** Takes a root away and its name with it, so that a test can have another. */
export async function removeRoot(officer: KmipClient, { uid }: Root): Promise<void> {
  const { attributes } = await officer.request("GetAttributes", {
    uniqueIdentifier: uid,
    attributeReference: ["state"],
  });
  if (!/^Destroyed/.test(String(attributes.state)))
    await officer.request("Destroy", { uniqueIdentifier: uid });
}

/** A recipients' authority outside the HSM whose certificate the officer registers. */
export async function createAuthority(
  officer: KmipClient,
  root: Root,
  order: AuthorityOrder = {},
): Promise<Authority> {
  const keys = await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
  const name = "CN=Test recipients CA, O=Coffer";
  const certificate = await x509.X509CertificateGenerator.create({
    subject: name,
    issuer: root.name,
    publicKey: keys.publicKey,
    signingKey: root.keys.privateKey,
    signingAlgorithm: P256,
    notBefore: new Date(Date.now() - HOUR),
    notAfter: order.notAfter ?? new Date(Date.now() + 1000 * HOUR),
    extensions: [
      new x509.BasicConstraintsExtension(order.ca ?? true, 0, true),
      new x509.KeyUsagesExtension(order.usage ?? x509.KeyUsageFlags.keyCertSign, true),
      ...(order.unknown ? [new x509.Extension("2.25.7", true, Uint8Array.of(5, 0))] : []),
    ],
  });
  const vendorAttributes = [policy(POLICY.users, EVERYBODY)];
  if (order.trusted ?? true) vendorAttributes.push(policy(POLICY.recipientAuthority, "true"));
  const uniqueIdentifier = await registerCertificate(officer, new Uint8Array(certificate.rawData), {
    vendorAttributes,
  });
  return {
    uid: uniqueIdentifier,
    async issue(order = {}) {
      const subjectKeys = order.keys ?? (await usualKeys());
      const issued = await x509.X509CertificateGenerator.create({
        subject: [
          { CN: ["instance"] },
          { OU: ["microservice"] },
          ...(order.tenants ?? [TENANT]).map((O) => ({ O: [O] })),
        ],
        issuer: name,
        publicKey: subjectKeys.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: P256,
        notBefore: order.notBefore ?? new Date(Date.now() - HOUR),
        notAfter: order.notAfter ?? new Date(Date.now() + 24 * HOUR),
        extensions: [
          new x509.BasicConstraintsExtension(order.ca ?? false, undefined, true),
          new x509.KeyUsagesExtension(order.usage ?? x509.KeyUsageFlags.keyEncipherment, true),
          ...(order.policies ? [new x509.CertificatePolicyExtension(order.policies)] : []),
        ],
      });
      const spki = new Uint8Array(await crypto.subtle.exportKey("spki", subjectKeys.publicKey));
      return { der: new Uint8Array(issued.rawData), keys: subjectKeys, spki };
    },
  };
}

export async function registerCertificate(
  client: KmipClient,
  certificateValue: Bytes,
  attributes: Attributes = {},
): Promise<string> {
  const { uniqueIdentifier } = await client.request("Register", {
    objectType: "Certificate",
    attributes,
    object: { certificate: { certificateType: "X_509", certificateValue } },
  });
  return uniqueIdentifier;
}

export async function registerRecipient(
  client: KmipClient,
  certificate: string,
  spki: Bytes,
  more: Attributes = {},
): Promise<string> {
  const { uniqueIdentifier } = await client.request("Register", {
    objectType: "PublicKey",
    attributes: {
      cryptographicUsageMask: ["WrapKey"],
      cryptographicParameters: [{ paddingMethod: "OAEP", hashingAlgorithm: "SHA_256" }],
      activationDate: PAST,
      link: [{ linkType: "CertificateLink", linkedObjectIdentifier: certificate }],
      ...more,
    },
    object: { publicKey: { keyBlock: { keyFormatType: "X_509", keyValue: { keyMaterial: spki } } } },
  });
  return uniqueIdentifier;
}

export interface Hierarchy {
  officer: KmipClient;
  kms: KmipClient;
  ra: KmipClient;
  iam: KmipClient;
  audit: KmipClient;
  root: Root;
  authority: Authority;
  master: string;
  wrappedAccount: Bytes;
  account: string;
  data: string;
  recipient: string;
  recipientCertificate: string;
  recipientKeys: CryptoKeyPair;
}

/** The whole ladder with a recipient at its end. */
export async function testHierarchy(test: TestHsm): Promise<Hierarchy> {
  const [officer, kms, ra, iam, audit] = (["officer", "kms", "ra", "iam", "audit"] as const).map((name) =>
    test.as(IDENTITY[name]),
  ) as [KmipClient, KmipClient, KmipClient, KmipClient, KmipClient];
  const root = await createRoot(officer);
  const authority = await createAuthority(officer, root);
  const master = await createMaster(officer, masterKeyName("test"));
  const wrappedAccount = await createAccount(kms, master);
  const account = await importAccount(kms, master, wrappedAccount);
  const data = await createData(kms, account);
  const { der, keys, spki } = await authority.issue();
  const recipientCertificate = await registerCertificate(ra, der);
  const recipient = await registerRecipient(ra, recipientCertificate, spki);
  return {
    officer,
    kms,
    ra,
    iam,
    audit,
    root,
    authority,
    master,
    wrappedAccount,
    account,
    data,
    recipient,
    recipientCertificate,
    recipientKeys: keys,
  };
}
