import type { AttestationType } from "../kmip/index.ts";
import type { Tier } from "../policy/index.ts";

/** A form of attestation evidence: one file each, and a line in the table of `index.ts`. */
export interface EvidenceFormat {
  /** By which it is named over HTTP (RFC 9782). */
  readonly mediaType: string;
  /** By which it is named in KMIP; vendors' own are numbers from 0x80000000 (KMIP 2.1 §11.4 Attestation Type). */
  readonly attestationType: AttestationType;
  /** Set where keys that were registered earlier vouch for it, and not roots. */
  readonly anchors?: "keys";
  /** How far what runs there can be trusted at the most. */
  readonly tier: Tier;
  /** The longest evidence, bytes. */
  readonly limit: number;
  /** Throws an `Error` with the reason, for a log alone, unless the evidence meets every expectation. */
  verify(evidence: Uint8Array, expected: Expectation): Promise<Claims>;
}

/** What evidence has to meet. */
export interface Expectation {
  /** Certificates (DER) of those who vouch for platforms of this format. None means that no evidence is good. */
  readonly roots: readonly Uint8Array[];
  /** SubjectPublicKeyInfo (DER) of attestation keys that were registered earlier for the subject. None by default. */
  readonly keys?: readonly Uint8Array[];
  /** Secret keys that were assigned to platforms earlier, by their names. None by default. */
  readonly secrets?: readonly PlatformSecret[];
  /** Passkeys that the user has registered whom the evidence must be of. None by default. */
  readonly passkeys?: readonly Passkey[];
  /** Origins of the vault, whose document asks for an assertion, and of the app around it. */
  readonly frame?: { readonly vault: string; readonly app: string };
  /** Keys that vouch for nothing any more, whoever certified them: SHA-256 of SubjectPublicKeyInfo, lower-case hex. */
  readonly revoked?: readonly string[];
  /** The oldest version of a platform that will do (`isPlatformVersion`); default: any, told or not. */
  readonly minVersion?: string;
  /** The verifier's, 8 to 64 bytes, used for nothing else. */
  readonly nonce: Uint8Array;
  /** Whom the evidence must be for, as the verifier knows it: handed on to another it is worth nothing. */
  readonly subject: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Set in a production build: no evidence of an emulated platform is good, whatever roots there are. */
  readonly production?: boolean;
  /** Whether a platform will do on which its owner can look into what runs (debug mode). It will not by default. */
  readonly debug?: boolean;
}

/** A secret key by its name, for AES-256-GCM. `decrypt` rejects for what was not encrypted under it; the ciphertext ends with the tag. */
export interface PlatformSecret {
  readonly name: string;
  decrypt(
    of: { iv: Uint8Array<ArrayBuffer>; additionalData: Uint8Array<ArrayBuffer> },
    ciphertext: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>>;
}

/** A passkey as it was registered. */
export interface Passkey {
  /** Credential ID, base64url. */
  readonly id: string;
  /** SubjectPublicKeyInfo of P-256, base64url. */
  readonly publicKey: string;
  /** The highest that was seen; 0 of an authenticator that counts nothing. */
  readonly counter: number;
  /** Whether it may leave its authenticator (backup eligible). */
  readonly backup: boolean;
  /** How far what it vouches for can be trusted at the most. */
  readonly tier: Tier;
  /** SHA-256 (lower-case hex) of the public keys on its maker's path, that of the root last. None where no known maker vouches for it. */
  readonly certifiedBy?: readonly string[];
}

/** What evidence says that was verified. */
export interface Claims {
  /** How far it can be trusted, where not all evidence of its format can as far; no further than the format. */
  readonly tier?: Tier;
  /** Digests by register, lower-case hex. `code` is that of the code that runs; every format has it. */
  readonly measurements: Readonly<Record<string, string>> & { readonly code: string };
  /** What else the platform says of itself, where its format tells of it: for policies and logs. `version`: of the platform. */
  readonly platform?: Readonly<Record<string, string>>;
  /** Until when it is good, milliseconds since 1970. */
  readonly expires: number;
}
