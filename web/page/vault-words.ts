/** Words for how a vault was enrolled and how far it can be trusted; its certificate says both. */

export const METHODS: Readonly<Record<string, string>> = {
  grant: "authorization grant",
  "secret-zero": "one-time secret",
  attestation: "attestation",
};

export const TIERS: Readonly<Record<string, string>> = {
  software: "software",
  emulated: "emulated platform",
  hardware: "hardware",
};

/** What came of a press on the vault's own button. */
export const PASSKEY_OUTCOMES: Readonly<Record<string, string>> = {
  registered: "The passkey is added. Renew this vault with it, and its certificate says so.",
  refused: "No passkey was added.",
  unsupported: "This browser makes no passkeys in a vault's frame.",
};
