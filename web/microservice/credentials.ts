/** What an instance shows at the registration authority, one function a method. The other end is edge/ra/methods. */
import type { Enrol, MethodName } from "#protocol/enrolment.ts";
import type { Tier } from "#protocol/policy/index.ts";
import type { Subtle } from "./crypto.ts";
import type { InstanceKeys } from "./keys.ts";
import type { PasskeySecret } from "./passkey-keys.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What a credential can be bound to: the nonce of the enrolment session, and the keys that are to be certified. */
export type BoundTo = { subtle: Subtle; nonce: Uint8Array<ArrayBuffer>; keys: InstanceKeys };

type Handed = { [M in MethodName]: Extract<Enrol, { method: M }> };
/** The platform below this code, where there is one: what an enclave asks for evidence (M1). */
export interface Attester {
  /** What kind of enclave the code runs in, as far as the platform says. */
  environment(): Promise<Tier>;
  /** Evidence about what runs here, for these keys and this custodian, over the verifier's nonce; of a type that is accepted. */
  attest(asked: Attested): Promise<Shown>;
  /**
   * What the passkey of this credential gives for this salt, 32 bytes, when the person shows it; null where that is not to be waited for. Only
   * where whoever serves the person can let it be shown.
   */
  unlock?(of: { credential: Bytes; salt: Bytes }): Promise<Bytes | null>;
  /** A document that names this public key (SubjectPublicKeyInfo), for who gives keys to attested recipients alone (M19); undefined where it makes none. */
  attestKey?(spki: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | undefined>;
}
export type Attested = {
  nonce: Uint8Array<ArrayBuffer>;
  accepts: string[];
  identity: Uint8Array<ArrayBuffer>;
  wrapping: Uint8Array<ArrayBuffer>;
  custodian: string;
  origin: string;
  /** What a passkey's secret is asked for with, 32 bytes. */
  salt?: Bytes | undefined;
};
/** Evidence as the attribute of a certificate request, DER; and what the passkey gave that it is by, where one did. */
export type Shown = { attribute: Bytes; secret?: PasskeySecret | undefined };

const CREDENTIALS: { [M in MethodName]: (handed: Handed[M], to: BoundTo) => Promise<string> } = {
  // The session is the credential, and the evidence is in the certificate request.
  attestation: async () => "",
  grant: async ({ grant }) => grant,
  "secret-zero": async ({ secretZero }) => secretZero,
};

export function credentialOf<M extends MethodName>(handed: Handed[M], to: BoundTo): Promise<string> {
  return CREDENTIALS[handed.method as M](handed, to);
}
