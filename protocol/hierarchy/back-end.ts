/** What a back end, which holds a tenant's keys, can keep from whoever has the KMS's identity there. */

/**
 * `sensitive`: no key leaves it in clear, whoever asks. `release-policy`: a key leaves it wrapped to recipients alone that it has
 * verified itself. `account-keys`: data keys stand under their account's key, so that with it they end wherever they are archived.
 */
export const ASSURANCES = ["sensitive", "release-policy", "account-keys"] as const;
export type Assurance = (typeof ASSURANCES)[number];

/** Versions of KMIP by which a tenant's keys can be reached, oldest first. */
export const KMIP_VERSIONS = ["1.0", "1.1", "1.2", "1.3", "1.4", "2.0", "2.1"] as const;
export type KmipVersion = (typeof KMIP_VERSIONS)[number];

/** What a tenant's entry says of its back end. `without`: what the tenant goes without; nothing else is done without. */
export type BackEndSettings = {
  kind: "kmip";
  /** The newest version that is spoken with it. */
  newest?: KmipVersion;
  without: readonly Assurance[];
};

/** The same where AWS KMS keeps a tenant's data keys. `secret`: the name of the worker's secret with its credentials. */
export type AwsKmsSettings = {
  kind: "aws-kms";
  /** ARN or identifier of the KMS key. */
  key: string;
  region: string;
  /** Default: AWS's for the region. */
  endpoint?: string;
  secret: string;
  without: readonly Assurance[];
  /** The HSM beside it, which has all else of the tenant. Default: it goes without nothing. */
  hsm?: Partial<Omit<BackEndSettings, "kind">>;
};

export type TenantBackEnd = BackEndSettings | AwsKmsSettings;

/** Where a tenant says nothing. */
export const DEFAULT_BACK_END: BackEndSettings = { kind: "kmip", without: [] };

/** What a back end does not keep. */
export function lacking(keeps: readonly Assurance[]): Assurance[] {
  return ASSURANCES.filter((assurance) => !keeps.includes(assurance));
}
