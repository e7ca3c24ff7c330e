/**
 * The HSM signs a receipt at a miss of Enc(master), and once a poll interval; between them a hit asks it for nothing (W3): the receipt
 * names a key of this memory, which signs the challenges of later starts (docs/decisions/0102).
 */

import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import { jwkFromSpki, type MasterReceipt, proofInput } from "#protocol/keys/index.ts";
import type { Times } from "./cache/index.ts";

/** The life of a receipt, seconds. */
export const RECEIPT_SECONDS = 300;

/** What a receipt says of the key, whenever it is asked for. */
export type Said = Omit<MasterReceipt, "challenge" | "cnf" | "iat" | "exp">;
type Asked = { challenge: string; notAfter: number };
type Vouched = { receipt: string; proof?: string };

/** `said` as text; `asked`: when the HSM was asked last, milliseconds since 1970; `exp`: of the receipt, seconds since 1970. */
type Standing = { receipt: string; said: string; signer: CryptoKey; asked: number; exp: number };

const ECDSA = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

export class MasterReceipts {
  /** By the copy that the cache keeps: a receipt goes with it. */
  readonly #standing = new WeakMap<object, Standing>();
  readonly #poll: number;
  readonly #now: () => number;

  constructor({ poll }: Pick<Times, "poll">, now: () => number = Date.now) {
    this.#poll = poll;
    this.#now = now;
  }

  /** For the challenge, until the instance's certificates end (`notAfter`, seconds since 1970). Throws what `sign` throws, if nothing stands. */
  async answer(
    master: object,
    said: Said,
    asked: Asked,
    sign: (receipt: MasterReceipt) => Promise<string>,
  ): Promise<Vouched> {
    const text = JSON.stringify(said);
    const standing = this.#standing.get(master);
    const now = this.#now();
    if (standing?.said !== text || !(seconds(now) < standing.exp))
      return this.#signed(master, said, asked, sign);
    if (!(now < standing.asked + this.#poll)) {
      // One asks; others go on with what stands meanwhile.
      standing.asked = now;
      const signed = await this.#signed(master, said, asked, sign).catch(() => undefined);
      if (signed !== undefined) return signed;
      // The HSM is away: what stands is good until its time is over, which the wait may have used up.
      if (!(seconds(this.#now()) < standing.exp)) return this.#signed(master, said, asked, sign);
    }
    const { receipt, signer } = standing;
    const input = utf8(proofInput(receipt, asked.challenge));
    const proof = new Uint8Array(await crypto.subtle.sign(ECDSA, signer, input));
    return { receipt, proof: encodeBase64url(proof) };
  }

  /** By the HSM, with a key of its own. */
  async #signed(
    master: object,
    said: Said,
    { challenge, notAfter }: Asked,
    sign: (receipt: MasterReceipt) => Promise<string>,
  ): Promise<Vouched> {
    const asked = this.#now();
    const pair = await crypto.subtle.generateKey(ECDSA, false, ["sign", "verify"]);
    const { privateKey, publicKey } = pair as CryptoKeyPair;
    const spki = (await crypto.subtle.exportKey("spki", publicKey)) as ArrayBuffer;
    const jwk = jwkFromSpki(new Uint8Array(spki));
    const iat = seconds(asked);
    const exp = Math.min(iat + RECEIPT_SECONDS, notAfter);
    const receipt = await sign({ ...said, challenge, cnf: { jwk }, iat, exp });
    this.#standing.set(master, { receipt, said: JSON.stringify(said), signer: privateKey, asked, exp });
    return { receipt };
  }
}
