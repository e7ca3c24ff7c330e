/**
 * What each fault is, in a sentence for developers, and why a verifier refuses it: the reason in the audit log, after the id of the policy. The
 * page of the emulator shows them, and the tests of the formats hold them.
 */
import type { CredentialFaultName } from "./credential-faults.ts";
import type { EvidenceFaultName } from "./evidence-faults.ts";
import type { NitroFaultName } from "./nitro-faults.ts";
import type { PartyFaultName } from "./party-faults.ts";

/**
 * `refused`: the beginning of the reason; of a credential that is signed and of one that is encrypted, where they differ. `byPolicy`: the
 * evidence is sound, and it is the policy's releases that do not have what runs. `atEnrolment`: it is about another party than
 * the one that enrols.
 */
export interface FaultSaid {
  says: string;
  refused: string | readonly [signed: string, encrypted: string];
  byPolicy?: true;
  atEnrolment?: true;
}

const OTHER_PARTY = { refused: "evidence of another client", atEnrolment: true } as const;
const PARTY_FAULTS_SAID: Record<PartyFaultName, FaultSaid & { refused: string }> = {
  "keys-other": { says: "It is about the keys of another microservice.", ...OTHER_PARTY },
  "identity-key-swapped": {
    says: "The identity key is another than the platform has attested: it was swapped afterwards.",
    ...OTHER_PARTY,
  },
  "wrapping-key-swapped": {
    says: "The wrapping key is another than the platform has attested: it was swapped afterwards.",
    ...OTHER_PARTY,
  },
  "custodian-other": { says: "It is about a microservice of another custodian.", ...OTHER_PARTY },
  "vault-other": { says: "It was made for another vault.", ...OTHER_PARTY },
  "app-other": { says: "It was made under another app.", ...OTHER_PARTY },
};

/** What is said of the claims of either form. */
const CLAIM_FAULTS_SAID = {
  "nonce-absent": { says: "It has no nonce.", refused: "another nonce" },
  "nonce-wrong": {
    says: "It is over another nonce than the verifier's: of another exchange, or shown again.",
    refused: "another nonce",
  },
  "client-absent": { says: "It does not say whom it is about.", refused: "evidence of another client" },
  "client-wrong": {
    says: "The party that it is about is none.",
    refused: "evidence of another client",
  },
  ...PARTY_FAULTS_SAID,
  stale: {
    says: "It was made three minutes ago, and has ended.",
    refused: "not the time of this evidence",
  },
  "ends-now": {
    says: "It ends in the second in which it is made: at its end it is good no more.",
    refused: "not the time of this evidence",
  },
  "clock-ahead": {
    says: "The platform's clock is six minutes ahead.",
    refused: "not the time of this evidence",
  },
  "lifetime-too-long": {
    says: "It is to be good for longer than five minutes.",
    refused: "not the time of this evidence",
  },
  "times-absent": {
    says: "It says neither when it was made nor when it ends.",
    refused: "the times are missing",
  },
  "not-emulated": {
    says: "It does not say that its platform is emulated.",
    refused: "evidence of the emulator must say so",
  },
  "measurement-absent": { says: "It does not say what runs.", refused: "the measurement is missing" },
  "measurement-upper-case": {
    says: "The digest of what runs is in upper case.",
    refused: "the measurement is missing",
  },
  "code-other": {
    says: "Other code runs than any release that the policy knows.",
    refused: "what runs is no release that is known here",
    byPolicy: true,
  },
  "release-older": {
    says: "An older release runs, which the policy takes no more.",
    refused: "release 1 is older than 2",
    byPolicy: true,
  },
  "platform-out-of-date": {
    says: "The platform is version 1.9, older than the policy takes.",
    refused: "the platform is out of date",
  },
  "platform-version-absent": {
    says: "The platform does not say its version.",
    refused: "the evidence tells no version of its platform",
  },
  "platform-version-malformed": {
    says: "The platform's version is malformed.",
    refused: "the version of the platform is malformed",
  },
} satisfies Partial<Record<EvidenceFaultName & CredentialFaultName, FaultSaid & { refused: string }>>;

export const EVIDENCE_FAULTS_SAID: Record<EvidenceFaultName, FaultSaid & { refused: string }> = {
  ...CLAIM_FAULTS_SAID,
  "nonces-two": { says: "It has two nonces where one is expected.", refused: "another nonce" },
  "times-no-numbers": { says: "Its end is text in place of a number.", refused: "the times are missing" },
  "measurement-short": {
    says: "What was measured is not of a digest's length.",
    refused: "the measurement is missing",
  },
  "platform-revoked": { says: "The platform's key is revoked.", refused: "a key of the platform is revoked" },
  "algorithm-none": {
    says: "The algorithm is none: it says that it is unsigned.",
    refused: "not the header of evidence",
  },
  "algorithm-hs256": {
    says: "The algorithm is one with a shared key.",
    refused: "not the header of evidence",
  },
  "type-other": { says: "It says that it is another kind of token.", refused: "not the header of evidence" },
  "header-critical": {
    says: "Its header has an extension that has to be understood.",
    refused: "not the header of evidence",
  },
  "root-wrong": {
    says: "The certificate of the platform's key is under another root of the same name.",
    refused: "the platform key is not under a root",
  },
  "certificate-expired": {
    says: "The certificate of the platform's key has ended.",
    refused: "the certificate of the platform key is not valid now",
  },
  "certificate-not-yet-valid": {
    says: "The certificate of the platform's key has not begun.",
    refused: "the certificate of the platform key is not valid now",
  },
  "certificate-for-something-else": {
    says: "The platform's key is not for attestation.",
    refused: "the platform key is not for attestation",
  },
  "certificate-not-emulated": {
    says: "The certificate of the platform's key does not say that it is emulated.",
    refused: "the certificate of an emulated platform must say so",
  },
  "certificate-absent": {
    says: "The certificate of the platform's key is missing.",
    refused: "one certificate is expected",
  },
  "certificates-none": { says: "The list of certificates is empty.", refused: "one certificate is expected" },
  "key-inside": {
    says: "It brings the key by which it wants to be verified.",
    refused: "not the header of evidence",
  },
  "bit-flipped": { says: "One character of the signature is another.", refused: "the signature is wrong" },
  "signature-of-another": {
    says: "Its claims are of one piece of evidence, and its signature of another.",
    refused: "the signature is wrong",
  },
  "signature-absent": { says: "The signature is missing.", refused: "the signature is wrong" },
  "trailing-part": { says: "It has one part more than a token has.", refused: "not three parts" },
  "trailing-byte": { says: "A line feed stands behind it.", refused: "not base64url" },
  oversized: { says: "It is longer than evidence may be.", refused: "evidence is too long" },
};

export const CREDENTIAL_FAULTS_SAID: Record<CredentialFaultName, FaultSaid> = {
  ...CLAIM_FAULTS_SAID,
  "algorithm-none": {
    says: "The algorithm is none: it says that it is unsigned.",
    refused: "not the header of a credential",
  },
  "type-other": {
    says: "It says that it is another kind of token.",
    refused: "not the header of a credential",
  },
  "key-absent": {
    says: "It does not name the key by which it is to be verified.",
    refused: "not the header of a credential",
  },
  "key-unknown": {
    says: "It names a key that was assigned to no platform.",
    refused: "the credential is of no registered key",
  },
  "key-inside": {
    says: "It brings the key by which it wants to be verified.",
    refused: "not the header of a credential",
  },
  "header-critical": {
    says: "Its header has an extension that has to be understood.",
    refused: "not the header of a credential",
  },
  "bit-flipped": {
    says: "One character at its end is another.",
    refused: ["the signature is wrong", "the credential was not encrypted under that key"],
  },
  "bit-flipped-inside": {
    says: "One character before its last part is another.",
    refused: ["the signature is wrong", "the credential was not encrypted under that key"],
  },
  "end-of-another": {
    says: "Its last part is of another credential.",
    refused: ["the signature is wrong", "the credential was not encrypted under that key"],
  },
  "end-absent": {
    says: "Its last part is missing.",
    refused: ["the signature is wrong", "not a credential"],
  },
  "trailing-part": {
    says: "It has one part more than it should.",
    refused: ["not three parts", "not a credential"],
  },
  "trailing-byte": { says: "A line feed stands behind it.", refused: "not base64url" },
  oversized: { says: "It is longer than a credential may be.", refused: "evidence is too long" },
};

export const NITRO_FAULTS_SAID: Record<NitroFaultName, FaultSaid & { refused: string }> = {
  "nonce-absent": { says: "It has no nonce.", refused: "another nonce" },
  "nonce-wrong": { says: "It is over another nonce than the verifier's.", refused: "another nonce" },
  "binder-absent": { says: "It does not say whom it is about.", refused: "evidence of another client" },
  "binder-wrong": {
    says: "The party that it is about is none.",
    refused: "evidence of another client",
  },
  ...PARTY_FAULTS_SAID,
  stale: { says: "It was made six minutes ago.", refused: "not the time of this evidence" },
  "clock-ahead": {
    says: "The platform's clock is six minutes ahead.",
    refused: "the document is from the future",
  },
  "clock-behind": {
    says: "The platform's clock is an hour behind, before its signer's certificate begins.",
    refused: "the document is not from the time of its signer",
  },
  "signer-expired": {
    says: "The signer's certificate has ended.",
    refused: "the certificates: certificate is not valid now",
  },
  "signer-ended-a-second-ago": {
    says: "The signer's certificate ended a second ago.",
    refused: "the certificates: certificate is not valid now",
  },
  "signer-not-yet-valid": {
    says: "The signer's certificate has not begun.",
    refused: "the certificates: certificate is not valid now",
  },
  "instance-expired": {
    says: "The certificate of the instance has ended.",
    refused: "the certificates: certificate is not valid now",
  },
  "instance-ended-a-second-ago": {
    says: "The certificate of the instance ended a second ago.",
    refused: "the certificates: certificate is not valid now",
  },
  "instance-not-yet-valid": {
    says: "The certificate of the instance has not begun.",
    refused: "the certificates: certificate is not valid now",
  },
  "region-expired": {
    says: "The certificate of the region has ended.",
    refused: "the certificates: certificate is not valid now",
  },
  "region-ended-a-second-ago": {
    says: "The certificate of the region ended a second ago.",
    refused: "the certificates: certificate is not valid now",
  },
  "region-not-yet-valid": {
    says: "The certificate of the region has not begun.",
    refused: "the certificates: certificate is not valid now",
  },
  "date-impossible": {
    says: "A certificate begins on the 30th of February.",
    refused: "the certificates: no such moment",
  },
  "root-wrong": {
    says: "Its certificates are under another root of the same name.",
    refused: "the bundle is not under a root",
  },
  "root-of-another-chain": {
    says: "The root that verifiers know stands before certificates of another.",
    refused: "the certificates: bad signature",
  },
  "root-of-an-attacker-inside": {
    says: "The root that verifiers know stands before another root in the bundle.",
    refused: "the certificates: bad signature",
  },
  "certificates-of-another": {
    says: "Its certificates are those of another instance.",
    refused: "the signature is wrong",
  },
  "path-too-long": {
    says: "An authority has issued more below itself than it may.",
    refused: "the certificates: may not issue this",
  },
  "issuer-no-authority": {
    says: "An issuer is no authority.",
    refused: "the certificates: an authority in the wrong place",
  },
  "issuer-key-usage": {
    says: "An issuer's key is not for signing certificates.",
    refused: "the certificates: may not issue this",
  },
  "signer-authority": {
    says: "The signer's certificate is an authority's.",
    refused: "the certificates: an authority in the wrong place",
  },
  "signer-key-usage": {
    says: "The signer's key is not for signatures.",
    refused: "the certificates: a key that is not for signatures",
  },
  "issuer-curve": {
    says: "An issuer's key is of another curve.",
    refused: "the certificates: a key of another curve",
  },
  "signer-not-emulated": {
    says: "The signer's certificate does not say that it is emulated.",
    refused: "evidence of the emulator must say so",
  },
  "instance-not-emulated": {
    says: "The instance's name does not say that it is emulated.",
    refused: "evidence of the emulator must say so",
  },
  "bundle-empty": {
    says: "The bundle of certificates is empty.",
    refused: "the bundle of certificates is missing, or too long",
  },
  "bundle-reversed": {
    says: "The bundle of certificates is in the other order.",
    refused: "the bundle is not under a root",
  },
  "bundle-cut": {
    says: "A certificate is missing in the bundle.",
    refused: "the certificates: another issuer",
  },
  "bundle-too-long": {
    says: "The bundle has more certificates than it may.",
    refused: "the bundle of certificates is missing, or too long",
  },
  "certificate-absent": {
    says: "The signer's certificate is missing.",
    refused: "a certificate is missing, or too long",
  },
  "certificate-too-long": {
    says: "The signer's certificate is longer than one may be.",
    refused: "a certificate is missing, or too long",
  },
  debug: {
    says: "The enclave runs in debug mode: its owner can look inside.",
    refused: "the platform is in debug mode",
  },
  "register-0-other": {
    says: "Register 0, that of the image, has another value.",
    refused: "what runs is no release that is known here",
    byPolicy: true,
  },
  "register-1-other": {
    says: "Register 1, that of the kernel, has another value.",
    refused: "what runs is no release that is known here",
    byPolicy: true,
  },
  "register-2-other": {
    says: "Register 2, that of the application, has another value.",
    refused: "what runs is no release that is known here",
    byPolicy: true,
  },
  "register-3-other": {
    says: "Register 3, that of the role of the instance, has another value.",
    refused: "what runs is no release that is known here",
    byPolicy: true,
  },
  "register-4-other": {
    says: "Register 4, that of the instance, has another value.",
    refused: "the module id is not of the instance that was measured",
  },
  "register-8-other": {
    says: "Register 8, that of who has signed the image, has another value.",
    refused: "what runs is no release that is known here",
    byPolicy: true,
  },
  "register-zero": {
    says: "Register 0, that of the code, is zero.",
    refused: "the platform is in debug mode",
  },
  "register-absent": {
    says: "Register 0, that of the code, is missing.",
    refused: "the measurement is missing",
  },
  "register-short": { says: "A register is one byte too short.", refused: "a register of another length" },
  "register-out-of-range": {
    says: "There is a register of a number that none has.",
    refused: "no such register",
  },
  "registers-none": { says: "There are no registers.", refused: "the registers are missing, or too many" },
  "registers-too-many": {
    says: "There are more registers than there may be.",
    refused: "the registers are missing, or too many",
  },
  "registers-of-two-kinds": {
    says: "It has registers of an enclave and of a TPM.",
    refused: "registers of two kinds",
  },
  "register-twice": { says: "A register stands in it twice.", refused: "CBOR has a key twice" },
  "instance-wrong": {
    says: "The module is of another instance than the one in register 4.",
    refused: "the module id is not of the instance that was measured",
  },
  "algorithm-none": { says: "It names no algorithm.", refused: "another algorithm than ES384" },
  "algorithm-minus-one": {
    says: "It names an algorithm that there is not.",
    refused: "another algorithm than ES384",
  },
  "algorithm-es256": {
    says: "It names another algorithm than AWS's.",
    refused: "another algorithm than ES384",
  },
  "header-critical": {
    says: "Its header has an extension that has to be understood.",
    refused: "a protected header that is not known here",
  },
  "header-unprotected": {
    says: "Something stands in the header that nobody signs.",
    refused: "the unprotected header is not empty",
  },
  "bit-flipped": { says: "One bit of the signature is another.", refused: "the signature is wrong" },
  "tag-other": { says: "It has another CBOR tag.", refused: "CBOR has another tag" },
  "tag-twice": { says: "It has its CBOR tag twice.", refused: "CBOR has another tag" },
  "trailing-byte": { says: "A byte stands behind it.", refused: "CBOR has trailing bytes" },
  "trailing-byte-inside": {
    says: "A byte stands behind what is signed.",
    refused: "CBOR has trailing bytes",
  },
  "cut-off": { says: "Its last byte is missing.", refused: "CBOR is cut off" },
  oversized: { says: "It is longer than a document may be.", refused: "evidence is too long" },
  "user-data-too-long": {
    says: "What the enclave has put in is longer than it may be.",
    refused: "user_data is not of an allowed length",
  },
  "nonce-too-long": {
    says: "The nonce is longer than it may be.",
    refused: "nonce is not of an allowed length",
  },
  "public-key-empty": { says: "The public key is empty.", refused: "public_key is not of an allowed length" },
  "field-twice": { says: "A field stands in it twice.", refused: "CBOR has a key twice" },
  "field-unknown": {
    says: "It has a field that AWS's documents do not have.",
    refused: "a field that is not known here",
  },
  "field-absent": { says: "A field is missing.", refused: "another digest than SHA384" },
  "module-id-null": { says: "It names no module.", refused: "the module id is missing" },
  "time-null": { says: "It says no time.", refused: "the time is missing" },
  "time-negative": { says: "Its time is before 1970.", refused: "the time is missing" },
  "digest-other": { says: "Its registers are of another digest.", refused: "another digest than SHA384" },
  "nested-too-deep": { says: "A field has lists in lists, too many.", refused: "CBOR is nested too deep" },
  "not-a-map": { says: "It is a list in place of a map.", refused: "the document is not a map" },
};
