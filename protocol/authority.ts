/** Subjects of the authorities below a deployment's root: by them a party's certificate says what the party is. The root certifies no other under these names. */

export const CUSTODIANS_AUTHORITY = "CN=Coffer custodians CA,O=Coffer";
export const INSTANCES_AUTHORITY = "CN=Coffer instances CA,O=Coffer";
