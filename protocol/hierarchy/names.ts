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

/** What is registered of an instance: its public wrapping key, and the certificate over it. */
export function recipientNames(instance: string): { key: string; certificate: string } {
  return { key: `instance/${instance}/key`, certificate: `instance/${instance}/certificate` };
}

/** The nth object that a batch with this id makes, and should leave behind no longer than it runs. */
export function transientName(batch: string, n: number): string {
  return `${batch}/${n}`;
}

/** The Name attribute. */
export function named(nameValue: string) {
  return [{ nameValue, nameType: "UninterpretedTextString" as const }];
}
