/** What can be wrong with the evidence of an emulated Nitro enclave, each under a name: for verifiers to refuse. */
import { concat } from "#protocol/bytes.ts";
import { CborEntries, type CborInput, tagged } from "./cbor.ts";
import type { ChainChanges, Link } from "./nitro-authority.ts";
import type { NitroFault } from "./nitro-fault.ts";
import { PARTY_FAULTS } from "./party-faults.ts";

const [ALG, CRIT, KEY_ID] = [1, 2, 4];
const [ES384, ES256] = [-35, -7];
const SIGN1_TAG = 18;
const HOUR = 3600 * 1000;
const [DIGITAL_SIGNATURE, CERTIFICATE_SIGN] = [1, 32];
const EXPIRED = (now: number) => ({ notBefore: now - 2 * HOUR, notAfter: now - HOUR });
const ENDED_NOW = (now: number) => ({ notAfter: now - 1000 });
const NOT_YET = (now: number) => ({ notBefore: now + HOUR });

export const NITRO_FAULTS = {
  "nonce-absent": { request: ({ nonce: _, ...others }) => others },
  "nonce-wrong": { request: (request) => ({ ...request, nonce: new Uint8Array(32) }) },
  "binder-absent": { request: ({ userData: _, ...others }) => others },
  "binder-wrong": { request: (request) => ({ ...request, userData: new Uint8Array(32) }) },
  ...PARTY_FAULTS,
  stale: { ...time(-360_000), ...certificate("signer", (now) => ({ notBefore: now - HOUR })) },
  "clock-ahead": time(360_000),
  "clock-behind": time(-HOUR),
  "signer-expired": certificate("signer", EXPIRED),
  "signer-ended-a-second-ago": certificate("signer", ENDED_NOW),
  "signer-not-yet-valid": certificate("signer", NOT_YET),
  "instance-expired": certificate("instance", EXPIRED),
  "instance-ended-a-second-ago": certificate("instance", ENDED_NOW),
  "instance-not-yet-valid": certificate("instance", NOT_YET),
  "region-expired": certificate("region", EXPIRED),
  "region-ended-a-second-ago": certificate("region", ENDED_NOW),
  "region-not-yet-valid": certificate("region", NOT_YET),
  "date-impossible": { certificate: impossible },

  "root-wrong": { anotherRoot: true },
  "root-of-another-chain": { anotherRoot: true, bundle: ([, ...others], root) => [root, ...others] },
  "root-of-an-attacker-inside": { anotherRoot: true, bundle: (bundle, root) => [root, ...bundle] },
  "certificates-of-another": { anotherSigner: true },
  "path-too-long": certificate("region", () => ({ pathLength: 0 })),
  "issuer-no-authority": certificate("instance", () => ({ authority: false, pathLength: undefined })),
  "issuer-key-usage": certificate("instance", () => ({ usage: DIGITAL_SIGNATURE })),
  "signer-authority": certificate("signer", () => ({ authority: true })),
  "signer-key-usage": certificate("signer", () => ({ usage: CERTIFICATE_SIGN })),
  "issuer-curve": certificate("region", () => ({ curve: "P-256" })),
  "signer-not-emulated": certificate("signer", () => ({ policies: [] })),
  "instance-not-emulated": { unmarked: true },
  "bundle-empty": { bundle: () => [] },
  "bundle-reversed": { bundle: (bundle) => bundle.toReversed() },
  "bundle-cut": { bundle: (bundle) => bundle.slice(0, -1) },
  "bundle-too-long": { bundle: (bundle) => [...bundle, ...bundle, ...bundle] },
  "certificate-absent": field("certificate", () => null),
  "certificate-too-long": field("certificate", () => new Uint8Array(1025)),

  debug: { debug: true },
  "register-0-other": register(0, new Uint8Array(48).fill(1)),
  "register-1-other": register(1, new Uint8Array(48).fill(1)),
  "register-2-other": register(2, new Uint8Array(48).fill(1)),
  "register-3-other": register(3, new Uint8Array(48).fill(1)),
  "register-4-other": register(4, new Uint8Array(48).fill(1)),
  "register-8-other": register(8, new Uint8Array(48).fill(1)),
  "register-zero": register(0, new Uint8Array(48)),
  "register-absent": register(0, undefined),
  "register-short": register(0, new Uint8Array(47).fill(1)),
  "register-out-of-range": register(32, new Uint8Array(48)),
  "registers-none": field("pcrs", () => new CborEntries([])),
  "registers-too-many": field("pcrs", () => numbered(33)),
  "registers-of-two-kinds": { fields: (fields) => [...fields, ["nitrotpm_pcrs", numbered(1)]] },
  "register-twice": field(
    "pcrs",
    (registers) => new CborEntries([...entriesOf(registers), [0, new Uint8Array(48)]]),
  ),
  "instance-wrong": field("module_id", (id) => `${id}`.replace("-i-", "-j-")),

  "algorithm-none": { header: [] },
  "algorithm-minus-one": { header: [[ALG, -1]] },
  "algorithm-es256": { header: [[ALG, ES256]] },
  "header-critical": {
    header: [
      [ALG, ES384],
      [CRIT, [KEY_ID]],
    ],
  },
  "header-unprotected": { unprotected: [[KEY_ID, "a key"]] },
  "bit-flipped": { message: (message) => message.with(-1, (message.at(-1) ?? 0) ^ 1) },
  "tag-other": { message: (message) => tagged(17, message) },
  "tag-twice": { message: (message) => tagged(SIGN1_TAG, tagged(SIGN1_TAG, message)) },
  "trailing-byte": { message: (message) => concat(message, new Uint8Array(1)) },
  "trailing-byte-inside": { payload: (payload) => concat(payload, new Uint8Array(1)) },
  "cut-off": { message: (message) => message.slice(0, -1) },
  oversized: { message: (message) => concat(message, new Uint8Array(16_384)) },
  "user-data-too-long": { request: (request) => ({ ...request, userData: new Uint8Array(1025) }) },
  "nonce-too-long": { request: (request) => ({ ...request, nonce: new Uint8Array(1025) }) },
  "public-key-empty": { request: (request) => ({ ...request, publicKey: new Uint8Array() }) },
  "field-twice": { fields: (fields) => [...fields, ["nonce", null]] },
  "field-unknown": { fields: (fields) => [...fields, ["another", null]] },
  "field-absent": { fields: (fields) => fields.filter(([name]) => name !== "digest") },
  "module-id-null": field("module_id", () => null),
  "time-null": field("timestamp", () => null),
  "time-negative": field("timestamp", () => -1),
  "digest-other": field("digest", () => "SHA256"),
  "nested-too-deep": field("user_data", () => [[[[[]]]]]),
  "not-a-map": { payload: () => new Uint8Array([0x80]) },
} as const satisfies Record<string, NitroFault>;

export type NitroFaultName = keyof typeof NITRO_FAULTS;

/** Other forms of good evidence that AWS sends, or may. */
export const NITRO_FORMS = {
  tagged: { message: (message) => tagged(SIGN1_TAG, message) },
  indefinite: { indefinite: true },
  "nulls-left-out": { fields: (fields) => fields.filter(([, value]) => value !== null) },
  "registers-32": field("pcrs", (registers) => {
    const known = entriesOf(registers);
    const names = new Set(known.map(([index]) => index));
    return new CborEntries([...known, ...numbered(32).entries.filter(([index]) => !names.has(index))]);
  }),
  nitrotpm: {
    fields: (fields) => fields.map(([name, value]) => [name === "pcrs" ? "nitrotpm_pcrs" : name, value]),
  },
  "public-key": { request: (request) => ({ ...request, publicKey: new Uint8Array(1024) }) },
  "clock-a-little-ahead": time(299_000),
} as const satisfies Record<string, NitroFault>;

/** Replaces one field. */
function field(name: string, change: (value: CborInput) => CborInput): NitroFault {
  return { fields: (fields) => fields.map(([key, value]) => [key, key === name ? change(value) : value]) };
}

/** Replaces one register; undefined leaves it out. */
function register(index: number, value: Uint8Array | undefined): NitroFault {
  return field("pcrs", (registers) => {
    const others = entriesOf(registers).filter(([key]) => key !== index);
    return new CborEntries(value ? [[index, value], ...others] : others);
  });
}

function entriesOf(value: CborInput): CborEntries["entries"] {
  return value instanceof CborEntries ? value.entries : [];
}

/** So many registers, none of them zero. */
function numbered(count: number): CborEntries {
  return new CborEntries(Array.from({ length: count }, (_, index) => [index, new Uint8Array(48).fill(1)]));
}

/** The platform's clock against that of all others. */
function time(difference: number): NitroFault {
  return field("timestamp", (now) => (typeof now === "number" ? now + difference : now));
}

/** Changes one certificate of the chain. */
function certificate(link: Link, change: (now: number) => NonNullable<ChainChanges[Link]>): NitroFault {
  return { certificates: (now) => ({ [link]: change(now) }) };
}

/** The day of the first time in a certificate, as the 30th of February. */
function impossible(der: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const changed = der.slice();
  // UTCTime of 13 characters: YYMMDDhhmmssZ.
  const at = changed.findIndex((byte, i) => byte === 0x17 && changed[i + 1] === 13);
  changed.set(new TextEncoder().encode("0230"), at + 4);
  return changed;
}
