/**
 * Structures of TPM 2.0 (TCG, "Trusted Platform Module Library", Part 2) that a quote consists of, big-endian as the TPM
 * writes them, and its registers in the file that tpm2-tools writes beside it. All of them are read to the last byte.
 */

export type HashName = "SHA-256" | "SHA-384";
/** TPM_ALG_ID (Part 2 §6.3) of what is taken here. SHA-1 is not. */
const HASHES = new Map<number, HashName>([
  [0x000b, "SHA-256"],
  [0x000c, "SHA-384"],
]);
export const DIGEST_LENGTH: Record<HashName, number> = { "SHA-256": 32, "SHA-384": 48 };
const SCHEMES = new Map<number, "RSASSA" | "RSAPSS" | "ECDSA">([
  [0x0014, "RSASSA"],
  [0x0016, "RSAPSS"],
  [0x0018, "ECDSA"],
]);

/** TPM_GENERATED_VALUE: what a restricted key signs begins so only where the TPM itself made it (Part 2 §6.2). */
const GENERATED = 0xff544347;
/** TPM_ST_ATTEST_QUOTE (Part 2 §6.9). */
const QUOTE = 0x8018;
const MAX_NAME = 66;
const MAX_EXTRA_DATA = 66;
const MAX_SIGNATURE = 512;
/** Banks of registers, and octets of the bit map of one. */
const MAX_BANKS = 16;
const MAX_SELECT = 4;

/** Registers of one bank that are selected, ascending. */
export type Bank = { hash: HashName; indices: number[] };

/** TPMS_ATTEST of a quote (Part 2 §10.12.8). */
export type Quote = {
  /** Qualified name of the key that signed. */
  signer: Uint8Array;
  /** What the caller put in. */
  extraData: Uint8Array;
  /** Milliseconds that the TPM has been powered, and whether none of that was lost. */
  clock: bigint;
  safe: boolean;
  /** Resets and restarts of the TPM. */
  resets: number;
  restarts: number;
  firmware: bigint;
  banks: Bank[];
  /** Hash over the selected registers, by the hash of the signature. */
  digest: Uint8Array;
};

/** TPMT_SIGNATURE (Part 2 §11.3.4): one number of RSA, or the two of ECDSA. */
export type TpmSignature = { hash: HashName } & (
  | { scheme: "RSASSA" | "RSAPSS"; value: Uint8Array }
  | { scheme: "ECDSA"; r: Uint8Array; s: Uint8Array }
);

/** Reads numbers and byte strings one after another. */
export class TpmReader {
  readonly #bytes: Uint8Array;
  readonly #littleEndian: boolean;
  #at = 0;

  constructor(bytes: Uint8Array, littleEndian = false) {
    this.#bytes = bytes;
    this.#littleEndian = littleEndian;
  }

  take(length: number): Uint8Array {
    const start = this.#at;
    if (length > this.#bytes.length - start) throw new Error("a TPM structure is cut off");
    this.#at = start + length;
    return this.#bytes.subarray(start, this.#at);
  }

  number(length: 1 | 2 | 4): number {
    const bytes = this.take(length);
    const ordered = this.#littleEndian ? bytes.toReversed() : bytes;
    return ordered.reduce((value, byte) => value * 256 + byte, 0);
  }

  long(): bigint {
    return (BigInt(this.number(4)) << 32n) | BigInt(this.number(4));
  }

  /** Bytes after their length, at most `longest` (TPM2B). */
  sized(longest: number): Uint8Array {
    const length = this.number(2);
    if (length > longest) throw new Error("a TPM structure is too long");
    return this.take(length);
  }

  hash(): HashName {
    const hash = HASHES.get(this.number(2));
    if (!hash) throw new Error("another hash than SHA-256 or SHA-384");
    return hash;
  }

  zeros(length: number): void {
    if (this.take(length).some((byte) => byte !== 0)) throw new Error("padding is not zero");
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new Error("a TPM structure has trailing bytes");
  }
}

export function parseQuote(bytes: Uint8Array): Quote {
  const reader = new TpmReader(bytes);
  if (reader.number(4) !== GENERATED) throw new Error("not made by a TPM");
  if (reader.number(2) !== QUOTE) throw new Error("not a quote");
  const signer = reader.sized(MAX_NAME);
  const extraData = reader.sized(MAX_EXTRA_DATA);
  const clock = reader.long();
  const [resets, restarts, safe] = [reader.number(4), reader.number(4), reader.number(1)];
  if (safe > 1) throw new Error("not a TPM's yes or no");
  const firmware = reader.long();
  const count = reader.number(4);
  if (count > MAX_BANKS) throw new Error("too many banks of registers");
  const banks = banksIn(
    Array.from({ length: count }, () => {
      const hash = reader.hash();
      return { hash, select: reader.take(reader.number(1)) };
    }),
  );
  const digest = reader.sized(64);
  reader.end();
  return { signer, extraData, clock, safe: safe === 1, resets, restarts, firmware, banks, digest };
}

export function parseSignature(bytes: Uint8Array): TpmSignature {
  const reader = new TpmReader(bytes);
  const scheme = SCHEMES.get(reader.number(2));
  if (!scheme) throw new Error("another signature than RSASSA, RSAPSS or ECDSA");
  const hash = reader.hash();
  const first = reader.sized(MAX_SIGNATURE);
  if (scheme !== "ECDSA") {
    reader.end();
    return { scheme, hash, value: first };
  }
  const s = reader.sized(MAX_SIGNATURE);
  reader.end();
  return { scheme, hash, r: first, s };
}

/** Registers of several banks: which, and their values in that order. */
export type RegisterFile = { banks: Bank[]; values: Uint8Array[] };

/** Digests in one TPML_DIGEST, and the most of these lists that all banks fill. */
const LIST = 8;
const MAX_LISTS = 8;
const BUFFER = 64;

/**
 * Parses the registers as `tpm2_quote --pcr FILE` writes them: TPML_PCR_SELECTION, the number of lists, and TPML_DIGEST each,
 * as these structures lie in memory, little-endian. What is not used of them must be zero.
 */
export function parseRegisters(bytes: Uint8Array): RegisterFile {
  const reader = new TpmReader(bytes, true);
  const count = reader.number(4);
  if (count > MAX_BANKS) throw new Error("too many banks of registers");
  const selections = Array.from({ length: count }, () => {
    const hash = reader.hash();
    const length = reader.number(1);
    if (length > MAX_SELECT) throw new Error("a selection of registers is too long");
    const select = reader.take(length);
    reader.zeros(MAX_SELECT - length + 1);
    return { hash, select };
  });
  reader.zeros((MAX_BANKS - count) * 8);
  const banks = banksIn(selections);
  const lengths = banks.flatMap(({ hash, indices }) => indices.map(() => DIGEST_LENGTH[hash]));
  const lists = reader.number(4);
  if (lists > MAX_LISTS) throw new Error("too many lists of registers");
  const values: Uint8Array[] = [];
  for (let list = 0; list < lists; list++) {
    const used = reader.number(4);
    if (used > LIST) throw new Error("too many registers in a list");
    for (let i = 0; i < used; i++) {
      const length = reader.number(2);
      if (length !== lengths[values.length]) throw new Error("a register of another length");
      values.push(reader.take(length));
      reader.zeros(BUFFER - length);
    }
    reader.zeros((LIST - used) * (2 + BUFFER));
  }
  reader.end();
  if (values.length !== lengths.length) throw new Error("other registers than are selected");
  return { banks, values };
}

/** Bit `j` of octet `i` selects register `8 i + j` (Part 2 §10.6.1). */
function banksIn(selections: { hash: HashName; select: Uint8Array }[]): Bank[] {
  const banks = selections.map(({ hash, select }) => {
    if (select.length > MAX_SELECT) throw new Error("a selection of registers is too long");
    const all = Array.from({ length: 8 * select.length }, (_, index) => index);
    return { hash, indices: all.filter((index) => ((select[index >> 3] ?? 0) >> (index & 7)) & 1) };
  });
  if (new Set(banks.map(({ hash }) => hash)).size !== banks.length) throw new Error("a bank twice");
  return banks;
}

/** Whether both select the same registers in the same order. */
export function sameBanks(a: readonly Bank[], b: readonly Bank[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ hash, indices }, i) => hash === b[i]?.hash && `${indices}` === `${b[i].indices}`)
  );
}
