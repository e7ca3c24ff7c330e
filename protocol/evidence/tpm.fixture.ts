/** A TPM's quotes, as tests need them: structures written by hand, signed by keys of Node's. */
import { constants, createHash, type KeyObject, sign } from "node:crypto";
import { concat } from "../bytes.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const HASHES = { sha1: 0x0004, sha256: 0x000b, sha384: 0x000c };
type Hash = keyof typeof HASHES;
const SCHEMES = { RSASSA: 0x0014, RSAPSS: 0x0016, ECDSA: 0x0018, HMAC: 0x0005 };

/** Registers of one bank by number. */
export type TestBank = { hash: Hash; values: ReadonlyMap<number, Uint8Array> };

export type TestQuote = {
  key: KeyObject;
  scheme: keyof typeof SCHEMES;
  hash: Hash;
  extraData: Uint8Array;
  banks: readonly TestBank[];
  /** What differs from a good one. */
  magic?: number;
  type?: number;
  digest?: Uint8Array;
  saltLength?: number;
  /** In place of the registers that are shown beside the quote. */
  shown?: readonly TestBank[];
};

export function makeQuote(quote: TestQuote): { message: Bytes; signature: Bytes; registers: Bytes } {
  const message = attest(quote);
  return { message, signature: signed(quote, message), registers: registerFile(quote.shown ?? quote.banks) };
}

/** All three as evidence, each after its length. */
export function quoteEvidence({ message, signature, registers }: ReturnType<typeof makeQuote>): Bytes {
  return concat(sized(message), sized(signature), sized(registers));
}

function attest({ magic = 0xff544347, type = 0x8018, hash, extraData, banks, digest }: TestQuote): Bytes {
  const selection = banks.map((bank) => concat(number(HASHES[bank.hash], 2), number(3, 1), bits(bank, 3)));
  const all = banks.flatMap(({ values }) => ascending(values).map(([, value]) => value));
  return concat(
    number(magic, 4),
    number(type, 2),
    sized(new Uint8Array(34).fill(9)),
    sized(extraData),
    number(0, 4),
    number(1234, 4),
    number(2, 4),
    number(3, 4),
    number(1, 1),
    number(0x20260101, 4),
    number(7, 4),
    number(banks.length, 4),
    ...selection,
    sized(
      digest ??
        createHash(hash)
          .update(concat(...all))
          .digest(),
    ),
  );
}

function signed({ key, scheme, hash, saltLength }: TestQuote, message: Bytes): Bytes {
  const head = concat(number(SCHEMES[scheme], 2), number(HASHES[hash], 2));
  if (scheme !== "ECDSA") {
    const padding = scheme === "RSAPSS" ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
    const options = { key, padding, ...(saltLength === undefined ? {} : { saltLength }) };
    return concat(head, sized(sign(hash, message, options)));
  }
  const raw = sign(hash, message, { key, dsaEncoding: "ieee-p1363" });
  return concat(head, sized(raw.subarray(0, raw.length / 2)), sized(raw.subarray(raw.length / 2)));
}

function registerFile(banks: readonly TestBank[]): Bytes {
  const slots = banks.map((bank) =>
    concat(number(HASHES[bank.hash], 2).reverse(), number(3, 1), bits(bank, 3), new Uint8Array(2)),
  );
  const values = banks.flatMap((bank) => ascending(bank.values).map(([, value]) => value));
  const lists = Array.from({ length: Math.ceil(values.length / 8) }, (_, i) =>
    values.slice(8 * i, 8 * i + 8),
  );
  return concat(
    number(banks.length, 4).reverse(),
    ...slots,
    new Uint8Array((16 - banks.length) * 8),
    number(lists.length, 4).reverse(),
    ...lists.map((list) => {
      const digests = list.map((value) =>
        concat(number(value.length, 2).reverse(), value, new Uint8Array(64 - value.length)),
      );
      return concat(number(list.length, 4).reverse(), ...digests, new Uint8Array((8 - list.length) * 66));
    }),
  );
}

function ascending(values: ReadonlyMap<number, Uint8Array>): [number, Uint8Array][] {
  return [...values].toSorted(([a], [b]) => a - b);
}

function bits({ values }: TestBank, octets: number): Bytes {
  const select = new Uint8Array(octets);
  for (const index of values.keys()) select[index >> 3]! |= 1 << (index & 7);
  return select;
}

export function sized(bytes: Uint8Array): Bytes {
  return concat(number(bytes.length, 2), bytes);
}

function number(value: number, length: number): Bytes {
  return Uint8Array.from({ length }, (_, i) => Math.floor(value / 256 ** (length - 1 - i)) & 0xff);
}
