import { createHash } from "node:crypto";
import { concat, equalConstantTime, utf8 } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";

/**
 * Hashed Password (KMIP 2.1, "Credential", Hashed Password Credential Structure, and "Server Hashed Password" of the
 * response header; no test case of the publication has it, so this was checked against no other implementation): with S1 = Hash(Username || Password) and S2 = Hash(Password || Username), the client
 * sends Hash(S1 || Timestamp) || S2, and the server proves itself by Hash(Timestamp || S1 || Hash(S2)). The Timestamp is
 * hashed as its value in TTLV: seconds, eight bytes.
 */

type Bytes = Uint8Array<ArrayBuffer>;

/** What the server keeps. S1 is as good as the password to anyone who holds it, which is why principals opt in. */
export interface ClientHash {
  s1: Bytes;
  s2Hash: Bytes;
}

const ALGORITHMS = { SHA_256: "sha256", SHA_384: "sha384", SHA_512: "sha512" } as const;
export type ClientHashAlgorithm = keyof typeof ALGORITHMS;

/** SHA-256 where the credential does not say. Undefined for one that is not taken. */
export function clientHashAlgorithm(name: unknown = "SHA_256"): ClientHashAlgorithm | undefined {
  return typeof name === "string" && Object.hasOwn(ALGORITHMS, name)
    ? (name as ClientHashAlgorithm)
    : undefined;
}

export function clientHashes(
  username: string,
  password: string,
): Readonly<Record<ClientHashAlgorithm, ClientHash>> {
  const of = (algorithm: ClientHashAlgorithm) => ({
    s1: hash(algorithm, utf8(username + password)),
    s2Hash: hash(algorithm, hash(algorithm, utf8(password + username))),
  });
  return { SHA_256: of("SHA_256"), SHA_384: of("SHA_384"), SHA_512: of("SHA_512") };
}

/** What a client sends as Hashed Password. */
export function hashedPassword(
  algorithm: ClientHashAlgorithm,
  username: string,
  password: string,
  timeStamp: Date,
): Bytes {
  const s1 = hash(algorithm, utf8(username + password));
  return concat(hash(algorithm, s1, octetsOf(timeStamp)), hash(algorithm, utf8(password + username)));
}

export function isHashedPassword(
  algorithm: ClientHashAlgorithm,
  { s1, s2Hash }: ClientHash,
  timeStamp: Date,
  given: Uint8Array,
): boolean {
  const length = s1.length;
  if (given.length !== 2 * length) return false;
  const first = equalConstantTime(given.subarray(0, length), hash(algorithm, s1, octetsOf(timeStamp)));
  const second = equalConstantTime(hash(algorithm, given.subarray(length)), s2Hash);
  return first && second;
}

/** Server Hashed Password of the response header, for the Timestamp of the credential. */
export function serverHashedPassword(
  algorithm: ClientHashAlgorithm,
  { s1, s2Hash }: ClientHash,
  timeStamp: Date,
): Bytes {
  return hash(algorithm, octetsOf(timeStamp), s1, s2Hash);
}

function hash(algorithm: ClientHashAlgorithm, ...parts: Uint8Array[]): Bytes {
  return new Uint8Array(
    createHash(ALGORITHMS[algorithm])
      .update(concat(...parts))
      .digest(),
  );
}

/** Seconds since 1970 in 8 bytes. */
function octetsOf(time: Date): Bytes {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt(seconds(time)));
  return bytes;
}
