/** Words for how a vault was enrolled and how far it can be trusted; its certificate says both. */

import type { Words } from "./words.ts";

export const METHODS: Readonly<Record<string, Words>> = {
  grant: "authorization grant",
  "secret-zero": "one-time secret",
  attestation: "attestation",
};

export const TIERS: Readonly<Record<string, Words>> = {
  software: "software",
  emulated: "emulated platform",
  hardware: "hardware",
};

/** What the registration authority says of a vault. */
export const STANDINGS: Readonly<Record<string, Words>> = {
  active: "active",
  revoked: "revoked",
  expired: "expired",
};

/** What came of a press on the vault's own button. */
export const PASSKEY_OUTCOMES: Readonly<Record<string, Words>> = {
  registered: "The passkey is added. Renew this vault with it, and its certificate says so.",
  refused: "No passkey was added.",
  unsupported: "This browser makes no passkeys in a vault's frame.",
};
