import { createHash } from "node:crypto";
import { EMULATED_EVIDENCE } from "#protocol/evidence/index.ts";
import { type Enrolling, enrolmentSubject, evidenceBinder } from "#protocol/evidence-binder.ts";
import { encryptedCredential, type PlatformKey, signedCredential } from "./credential.ts";
import type { CredentialFault } from "./credential-faults.ts";
import { makeEvidence } from "./evidence.ts";
import type { EvidenceFault } from "./evidence-faults.ts";
import { launchNitroEnclave, type NitroLaunch } from "./nitro.ts";
import type { NitroAuthority } from "./nitro-authority.ts";
import type { NitroFault } from "./nitro-fault.ts";
import type { PartyFault } from "./party-faults.ts";
import type { AttestationKey, Platform } from "./platform.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What a microservice asks its platform for when it enrols. */
export type EnclaveQuestion = Omit<Enrolling, "vault"> & { nonce: Uint8Array; accepts: readonly string[] };

/** An emulated enclave for a microservice: the code that is to run in it, and evidence of that code and no other. */
export interface Enclave {
  readonly code: Bytes;
  /** SHA-384 of the code, lower-case hex. */
  readonly measurement: string;
  readonly environment: "emulated";
  attest(asked: EnclaveQuestion): Promise<{ type: string; evidence: Bytes }>;
  /** Of a platform like AWS Nitro's: a document that names this public key, DER, for who encrypts to attested recipients. */
  attestKey?(spki: Bytes): Promise<Bytes>;
}

export interface EnclaveOptions {
  /** Origin of the vault at which it enrols. */
  vault: string;
  /** Milliseconds since 1970; default: this computer's clock. */
  clock?: () => number;
}

/** An enclave whose evidence is an EAT. `fault` is what is to be wrong with it. */
export function emulatedEnclave(
  platform: AttestationKey & Partial<Pick<Platform, "faulty">>,
  code: Uint8Array,
  options: EnclaveOptions,
  fault: EvidenceFault = {},
): Enclave {
  const { own, measurement } = measured(code);
  const { clock = Date.now } = options;
  return {
    ...{ code: own, measurement, environment: "emulated" as const },
    async attest(asked) {
      const { type } = accepted(asked, EMULATED_EVIDENCE.eat);
      const client = await subjectOf(asked, options, fault);
      const order = { nonce: asked.nonce, client, measurement, now: new Date(clock()) };
      return { type, evidence: makeEvidence(platform, order, fault) };
    },
  };
}

/**
 * An enclave whose platform shows a credential (M1's variants): `by` is the key that signs it, or the secret under which it is
 * encrypted. `fault` is what is to be wrong with it.
 */
export function emulatedCredentialEnclave(
  by: Pick<Platform, "key"> | PlatformKey,
  code: Uint8Array,
  options: EnclaveOptions,
  fault: CredentialFault = {},
): Enclave {
  const { own, measurement } = measured(code);
  const { clock = Date.now } = options;
  return {
    ...{ code: own, measurement, environment: "emulated" as const },
    async attest(asked) {
      const { type } = accepted(asked, EMULATED_EVIDENCE["key" in by ? "signed" : "encrypted"]);
      const client = await subjectOf(asked, options, fault);
      const order = { nonce: asked.nonce, client, measurement, now: new Date(clock()) };
      const evidence =
        "key" in by ? signedCredential(by, order, fault) : encryptedCredential(by, order, fault);
      return { type, evidence: await evidence };
    },
  };
}

/** An enclave like those of AWS Nitro, whose register 0 is that of the code. */
export async function emulatedNitroEnclave(
  authority: NitroAuthority,
  code: Uint8Array,
  options: EnclaveOptions & Pick<Partial<NitroLaunch>, "debug">,
  fault: NitroFault = {},
): Promise<Enclave> {
  const { own, measurement } = measured(code);
  const { clock = Date.now, debug = false } = options;
  const enclave = await launchNitroEnclave(authority, { code: own, clock, debug }, fault);
  return {
    ...{ code: own, measurement, environment: "emulated" as const },
    async attest(asked) {
      const { type } = accepted(asked, EMULATED_EVIDENCE.nitro);
      const userData = await evidenceBinder(asked.nonce, await subjectOf(asked, options, fault));
      return { type, evidence: await enclave.attest({ nonce: asked.nonce, userData }) };
    },
    attestKey: (publicKey) => enclave.attest({ publicKey }),
  };
}

/** The bytes that are measured are those that run: a copy that nobody else has. */
function measured(code: Uint8Array) {
  const own = new Uint8Array(code);
  return { own, measurement: createHash("sha384").update(own).digest("hex") };
}

function accepted({ accepts }: EnclaveQuestion, type: string) {
  if (!accepts.includes(type)) throw new Error("the verifier takes no evidence of this platform");
  return { type };
}

async function subjectOf(asked: EnclaveQuestion, { vault }: EnclaveOptions, { party }: PartyFault) {
  const enrolling = { ...asked, vault };
  return enrolmentSubject((await party?.(enrolling)) ?? enrolling);
}
