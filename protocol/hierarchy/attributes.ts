import type { Attributes } from "../kmip/index.ts";
import { type Domain, IDENTITY } from "./identities.ts";

/** Vendor attributes under this identification are policy. */
export const VENDOR = "Coffer";

/** Names of the policy attributes. All of them are text. */
export const POLICY = {
  /** The rung of a key of the hierarchy, the key that it is under, and whose it is. */
  class: "Class",
  parent: "Parent",
  tenant: "Tenant",
  /** The release level that a tenant's master key was made for (`protocol/level.ts`), and each key below it. */
  level: "Level",
  /** Of a tenant's master key: whether the KMS may operate in the HSM with data keys below it (`ALLOWED`). */
  operations: "HsmOperations",
  /**
   * The officer's word that a master key is destroyed on purpose (docs/decisions/0037), which no state tells: thumbprint of the public key
   * (SPKI) of the recovery recipient that has it.
   */
  recovery: "Recovery",
  /** Of a recovery key, and of what it opens: thumbprint of the one recipient that the ceremony is for. */
  restoredFor: "RestoredFor",
  /** Who may use an object without owning it: a list of identities, or everybody. */
  users: "Users",
  /** The one kind of text that a key signs. */
  signType: "SignType",
  /** Whether data keys are released to what this authority certifies. */
  recipientAuthority: "RecipientCA",
  /** What the HSM has found of a recipient when its key was registered. */
  recipient: "Recipient",
  recipientExpires: "RecipientExpires",
  recipientCertificate: "RecipientCertificate",
  recipientIssuer: "RecipientAuthority",
  /** Of an ML-KEM key: the same instance's X25519 key, with which it makes a hybrid recipient. */
  recipientAgreement: "RecipientAgreement",
  /** What an attested client has to show before it uses an object. */
  attestation: "Attestation",
} as const;
export type PolicyAttribute = (typeof POLICY)[keyof typeof POLICY];

/** SHA-256 of a SubjectPublicKeyInfo (DER), base64url: names a wrapping key, whichever instance has it and however often it is registered. */
export function isKeyThumbprint(text: string): boolean {
  return /^[\w-]{43}$/.test(text);
}

/** `POLICY.recipient` of a key whose certificate the HSM has verified. */
export const VERIFIED = "verified";
/** `POLICY.operations` of a master key below which the KMS may operate; anything else, or nothing, says no. */
export const ALLOWED = "true";
/** `POLICY.users` of what everybody may use. */
export const EVERYBODY = "*";

export function policy(attributeName: PolicyAttribute, attributeValue: string) {
  return { vendorIdentification: VENDOR, attributeName, attributeValue };
}

export function isPolicy({ vendorIdentification }: { vendorIdentification: string }): boolean {
  return vendorIdentification === VENDOR;
}

/** The text of a policy attribute; undefined when the object has none of that name. */
export function policyAttribute(attributes: Attributes, name: PolicyAttribute): string | undefined {
  const found = attributes.vendorAttributes?.find(
    (attribute) => isPolicy(attribute) && attribute.attributeName === name,
  );
  return typeof found?.attributeValue === "string" ? found.attributeValue : undefined;
}

/** The policy attribute that lets these domains use an object. */
export function users(...domains: Domain[]) {
  return policy(POLICY.users, domains.map((domain) => IDENTITY[domain]).join(","));
}

/** The identities in the text of `POLICY.users`: a comma list, or `EVERYBODY`. */
export function usersOf(text: string): string[] {
  return text
    .split(",")
    .map((user) => user.trim())
    .filter((user) => user !== "");
}
