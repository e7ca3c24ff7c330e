/** Words for how a vault was enrolled and how far it can be trusted; its certificate says both. */

export const METHODS: Readonly<Record<string, string>> = {
  grant: "authorization grant",
  "secret-zero": "one-time secret",
  attestation: "attestation",
};

export const TIERS: Readonly<Record<string, string>> = {
  software: "software",
  emulated: "emulated enclave",
  hardware: "hardware enclave",
};
