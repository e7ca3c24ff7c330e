import { concat, encodeHex, equalConstantTime } from "../bytes.ts";
import { sha256 } from "../digest.ts";
import { evidenceBinder } from "../evidence-binder.ts";
import type { EvidenceFormat, Expectation } from "./format.ts";
import { checkNotRevoked } from "./revoked.ts";
import { signerOf } from "./tpm-signature.ts";
import {
  type HashName,
  parseQuote,
  parseRegisters,
  parseSignature,
  type Quote,
  sameBanks,
  TpmReader,
} from "./tpm-structures.ts";

/**
 * A quote of a TPM 2.0 over the binder, by an attestation key that was registered earlier: TPMS_ATTEST, TPMT_SIGNATURE and
 * the registers as tpm2-tools writes them, each after its length (2 bytes, big-endian). Who registers a key has made sure that it
 * is a restricted signing key of that TPM; the quote cannot tell.
 */
export const TPM = {
  mediaType: "application/vnd.coffer.tpm2-quote",
  attestationType: "TPMQuote",
  tier: "hardware",
  anchors: "keys",
  limit: 8192,
  async verify(evidence, expected) {
    const reader = new TpmReader(evidence);
    const [message, signature, registers] = [reader.sized(1024), reader.sized(1024), reader.sized(6144)];
    reader.end();
    const extraData = await evidenceBinder(expected.nonce, expected.subject);
    const quote = await verifyQuote(
      { message, signature, registers },
      { keys: expected.keys ?? [], revoked: expected.revoked ?? [], extraData },
    );
    const measurements = quote.registers.map((register) => [nameOf(register), encodeHex(register.value)]);
    return {
      // Which register is the code's is up to the platform: its reference value is over all that are quoted, and over which they are.
      measurements: { ...Object.fromEntries(measurements), code: encodeHex(await codeOf(quote.registers)) },
      // The TPM's clock is not that of the world, and the nonce is used once.
      expires: expected.now + MAX_LIFETIME,
      platform: {
        firmware: quote.firmware.toString(16).padStart(16, "0"),
        clock: `${quote.clock}`,
        clockSafe: `${quote.safe}`,
        resets: `${quote.resets}`,
        restarts: `${quote.restarts}`,
      },
    };
  },
} as const satisfies EvidenceFormat;

/**
 * SHA-256 of all registers as lines, in the order of the quote: `sha256-pcr0=<hex>\n`. The digest that a TPM signs is over values alone, and
 * who may extend registers that boot leaves free brings them to the values of others.
 */
function codeOf(registers: readonly Register[]): Promise<Uint8Array> {
  return sha256(registers.map((register) => `${nameOf(register)}=${encodeHex(register.value)}\n`).join(""));
}

function nameOf({ hash, index }: Pick<Register, "hash" | "index">): string {
  return `${hash.toLowerCase().replace("-", "")}-pcr${index}`;
}

/** Milliseconds. */
const MAX_LIFETIME = 300_000;

/** As `tpm2_quote` writes them: `--message`, `--signature`, and `--pcr`. */
export type QuoteFiles = { message: Uint8Array; signature: Uint8Array; registers: Uint8Array };
/** Attestation keys (SubjectPublicKeyInfo, DER), and what the quote must be over. */
export type QuoteExpectation = { keys: readonly Uint8Array[]; extraData: Uint8Array };
export type Register = { hash: HashName; index: number; value: Uint8Array };
export type VerifiedQuote = Quote & { registers: Register[] };

/**
 * Verifies a quote over `extraData` by one of `keys`, and that it is of these registers. Throws an
 * `Error` with the reason.
 */
export async function verifyQuote(
  { message, signature, registers }: QuoteFiles,
  { keys, extraData, revoked = [] }: Pick<Expectation, "revoked"> & QuoteExpectation,
): Promise<VerifiedQuote> {
  const quote = parseQuote(message);
  const signed = parseSignature(signature);
  const { banks, values } = parseRegisters(registers);
  const signer = await signerOf(keys, signed, message);
  if (!signer) throw new Error("the signature is of no registered key");
  await checkNotRevoked([signer], { revoked });
  if (!equalConstantTime(quote.extraData, extraData)) throw new Error("another nonce, or another client");
  if (!sameBanks(banks, quote.banks)) throw new Error("other registers than were quoted");
  if (values.length === 0) throw new Error("the measurement is missing");
  const digest = new Uint8Array(await crypto.subtle.digest(signed.hash, concat(...values)));
  if (!equalConstantTime(quote.digest, digest))
    throw new Error("the registers are not those that were quoted");
  const numbers = banks.flatMap(({ hash, indices }) => indices.map((index) => ({ hash, index })));
  const known = values.flatMap((value, i) => (numbers[i] ? [{ ...numbers[i], value }] : []));
  return { ...quote, registers: known };
}
