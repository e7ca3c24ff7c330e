/** Names (KMIP 2.1 §4.32 Name) by which the parts of a deployment find each other's objects. They are stored: none changes. */

/** Names with this prefix are the officer's, so that nobody can pose as another. */
const RESERVED = /^coffer\//i;

/** The opaque object with the list of keys that sign (protocol/keys), signed by the root. */
export const TRUST_LIST = "coffer/trust";

export function isReservedName(name: string): boolean {
  return RESERVED.test(name);
}

/** Whether a text may name a tenant: nothing in it needs escaping in a name, a path or a Distinguished Name. */
export function isTenantName(text: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,62}$/.test(text);
}

export function masterKeyName(tenant: string): string {
  return `coffer/tenant/${tenant}/master`;
}

/** A master key that another has replaced, by its identifier. */
export function replacedMasterKeyName(tenant: string, key: string): string {
  return `${masterKeyName(tenant)}/${key}`;
}

/** A recovery recipient's private key, which the officer has brought for a ceremony. */
export function recoveryKeyName(tenant: string): string {
  return `coffer/tenant/${tenant}/recovery`;
}

/** The key by which the tenant's seeds get their salts (class `seed-hmac`). */
export function seedKeyName(tenant: string): string {
  return `coffer/tenant/${tenant}/seed`;
}

/** What is registered of an instance: its public wrapping key, and the certificate over it. */
export function recipientNames(instance: string): { key: string; certificate: string } {
  return { key: `instance/${instance}/key`, certificate: `instance/${instance}/certificate` };
}

/** The same of the two keys of a hybrid recipient (`protocol/hybrid.ts`): X25519 and ML-KEM-768. */
export function hybridNames(instance: string) {
  const names = (kind: "agreement" | "kem") => ({
    key: `instance/${instance}/${kind}/key`,
    certificate: `instance/${instance}/${kind}/certificate`,
  });
  return { agreement: names("agreement"), kem: names("kem") };
}

/** A symmetric app-specific key, by the id that instances know it by. */
export function appSpecificKeyName(id: string): string {
  return `app-specific/${id}`;
}

/** Enc(data): a version of an account's data key under the account key. */
export function encryptedDataKeyName(key: string, version: number): string {
  return `data/${key}.${version}`;
}

/** A version of an account's data key that lives in the HSM (`resident`). Its EDK's reference counts with this name alone. */
export function residentDataKeyName(key: string, version: number): string {
  return `resident/${key}.${version}`;
}

/** Enc(master) for a wrapping key, by its thumbprint (`isKeyThumbprint`): an app-specific key outlives the instances that have it. */
export function encryptedMasterKeyName(master: string, thumbprint: string): string {
  return `master/${master}/${thumbprint}`;
}

/** The same in earlier releases, an instance. */
export function instancesMasterKeyName(instance: string): string {
  return `instance/${instance}/master`;
}

/** Whether a key that is kept wrapped may have this name. */
export function isEncryptedKeyName(name: string): boolean {
  return /^(data\/[\w-]{1,64}\.[1-9]\d{0,8}|master\/[\w-]{1,64}\/[\w-]{43}|instance\/[\w-]{1,64}\/master)$/.test(
    name,
  );
}

/** The nth object that a batch with this id makes, and should leave behind no longer than it runs. */
export function transientName(batch: string, n: number): string {
  return `${batch}/${n}`;
}

/** The Name attribute. */
export function named(nameValue: string) {
  return [{ nameValue, nameType: "UninterpretedTextString" as const }];
}
