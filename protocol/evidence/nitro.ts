import { concat, encodeHex, equalConstantTime, utf8 } from "../bytes.ts";
import { CLOCK_TOLERANCE } from "../clock.ts";
import { evidenceBinder } from "../evidence-binder.ts";
import { type Certificate, ECDSA_P384, parseCertificate, verifyChain } from "../pki/index.ts";
import { parseSign1, verifySign1 } from "./cose.ts";
import { EMULATED_POLICY } from "./emulated.ts";
import type { Claims, EvidenceFormat, Expectation } from "./format.ts";
import { type NitroDocument, parseNitroDocument } from "./nitro-document.ts";
import { AWS_NITRO_ROOT_G1 } from "./nitro-root.ts";
import { checkNotRevoked } from "./revoked.ts";

/**
 * Attestation documents of AWS Nitro, for enclaves and NitroTPM, under AWS's own root alone. `nonce` is the verifier's,
 * `user_data` the binder. No media type is registered; this is the one that Veraison gave them.
 */
export const NITRO = {
  mediaType: "application/aws-nitro-document",
  attestationType: 0x80000002,
  tier: "hardware",
  limit: 16_640,
  async verify(evidence, expected) {
    const roots = expected.roots.filter((root) => equalConstantTime(root, AWS_NITRO_ROOT_G1));
    const verified = await verifyNitroDocument(evidence, { ...expected, roots });
    return claimsIn(verified, expected);
  },
} as const satisfies EvidenceFormat;

/**
 * Documents of an emulated Nitro enclave, under whatever root the verifier was given: by the same code, and only where
 * certificate and document say that they are emulated.
 */
export const NITRO_EMULATED = {
  mediaType: "application/vnd.coffer.emulated-nitro-document",
  attestationType: 0x80000003,
  tier: "emulated",
  limit: NITRO.limit,
  async verify(evidence, expected) {
    const verified = await verifyNitroDocument(evidence, expected);
    const { policies } = parseCertificate(verified.certificate, ECDSA_P384);
    if (!policies.includes(EMULATED_POLICY) || !verified.moduleId.startsWith("EMULATED-"))
      throw new Error("evidence of the emulator must say so");
    return claimsIn(verified, expected);
  },
} as const satisfies EvidenceFormat;

/** Milliseconds that a document may live: its nonce is used once, so it has no reason to be old. */
const MAX_LIFETIME = 300_000;
const TOLERANCE = CLOCK_TOLERANCE * 1000;
/** SubjectPublicKeyInfo of P-384 up to an uncompressed point's coordinates (RFC 5480 §2), in hexadecimal. */
const P384_KEY = "3076301006072a8648ce3d020106052b8104002203620004";
const DIGITAL_SIGNATURE = 0x80;
/** The register that says what code runs: an enclave's image; what the firmware starts, under NitroTPM. */
const CODE = { enclave: 0, nitrotpm: 4 } as const;
/** The register of an enclave that holds the instance that it runs on. */
const INSTANCE = 4;

/** A document that was verified. */
export type VerifiedNitroDocument = NitroDocument & {
  /** Whether the enclave runs in debug mode: what was measured is not told, all of it zero. */
  debug: boolean;
  /** Until when every certificate is valid, milliseconds since 1970. */
  validUntil: number;
};

/**
 * Verifies a signed document by all that AWS asks for, and that it fits its time and itself: certificates up to one of
 * `roots` (DER) at `now`, signature, debug mode, instance. Whom it is for is not looked at here. Throws an `Error`.
 */
export async function verifyNitroDocument(
  evidence: Uint8Array,
  { roots, now, debug = false, revoked = [] }: Pick<Expectation, "roots" | "now" | "debug" | "revoked">,
): Promise<VerifiedNitroDocument> {
  const signed = parseSign1(evidence);
  const document = parseNitroDocument(signed.payload);
  const { kind, timestamp, registers } = document;
  if (!(timestamp <= now + TOLERANCE)) throw new Error("the document is from the future");
  // A signer's certificate begins seconds before the document: a clock that is a little behind takes it all the same.
  const chain = await signersOf(document, roots, Math.max(now, timestamp));
  const [signer] = chain;
  if (!(signer.notBefore <= timestamp && timestamp <= signer.notAfter))
    throw new Error("the document is not from the time of its signer");
  await verifySign1(signed, signer.spki);
  await checkNotRevoked(
    chain.map(({ spki }) => spki),
    { revoked },
  );
  const code = registers.get(CODE[kind]);
  if (!code) throw new Error("the measurement is missing");
  const inDebugMode = code.every((byte) => byte === 0);
  if (inDebugMode && !debug) throw new Error("the platform is in debug mode");
  if (kind === "enclave") await checkInstance(document);
  const validUntil = Math.min(...chain.map(({ notAfter }) => notAfter));
  return { ...document, debug: inDebugMode, validUntil };
}

/** The public key that a document says, SubjectPublicKeyInfo, for who has it verified by another. NOT verified. Throws an `Error` for no document. */
export function keySaidIn(evidence: Uint8Array): Uint8Array | undefined {
  return parseNitroDocument(parseSign1(evidence).payload).publicKey;
}

/** Whose key signed, and its issuers up to the root, valid at `moment`. */
async function signersOf(
  { certificate, bundle }: NitroDocument,
  roots: readonly Uint8Array[],
  moment: number,
): Promise<[Certificate, ...Certificate[]]> {
  const [top, ...others] = bundle;
  // What the document calls its root says only which one of ours it means.
  const root = roots.find((one) => top && equalConstantTime(one, top));
  if (!root) throw new Error("the bundle is not under a root");
  try {
    const parse = (der: Uint8Array) => parseCertificate(der, ECDSA_P384);
    const signer = parse(certificate);
    const anchor = parse(root);
    const chain: [Certificate, ...Certificate[]] = [signer, ...others.reverse().map(parse), anchor];
    for (const { spki } of chain)
      if (!encodeHex(spki).startsWith(P384_KEY)) throw new TypeError("a key of another curve");
    await verifyChain(crypto.subtle, chain, anchor.spki, moment, ECDSA_P384);
    if (!(signer.keyUsage & DIGITAL_SIGNATURE)) throw new TypeError("a key that is not for signatures");
    return chain;
  } catch (cause) {
    // What an engine says of a key in its own words is not ours to hand on.
    const reason = cause instanceof TypeError ? cause.message : "a key that is none";
    throw new Error(`the certificates: ${reason}`, { cause });
  }
}

/** The instance's register was extended once from zero, with the instance's id, by which the module id begins. */
async function checkInstance({ moduleId, registers }: NitroDocument): Promise<void> {
  const register = registers.get(INSTANCE);
  if (!register) return;
  const [instance = ""] = moduleId.split("-enc");
  const extended = await crypto.subtle.digest("SHA-384", concat(new Uint8Array(48), utf8(instance)));
  if (!equalConstantTime(register, new Uint8Array(extended)))
    throw new Error("the module id is not of the instance that was measured");
}

/** What a verified document says, where it is an answer to this nonce for this subject. */
async function claimsIn(
  { kind, moduleId, timestamp, registers, nonce, userData, validUntil }: VerifiedNitroDocument,
  expected: Expectation,
): Promise<Claims> {
  if (!nonce || !equalConstantTime(nonce, expected.nonce)) throw new Error("another nonce");
  const binder = await evidenceBinder(expected.nonce, expected.subject);
  if (!userData || !equalConstantTime(userData, binder)) throw new Error("evidence of another client");
  const named = [...registers].map(([index, register]) => [`pcr${index}`, encodeHex(register)]);
  const code = encodeHex(registers.get(CODE[kind]) ?? new Uint8Array());
  return {
    measurements: { ...Object.fromEntries(named), code },
    platform: { kind, moduleId },
    expires: Math.min(validUntil, timestamp + MAX_LIFETIME),
  };
}
