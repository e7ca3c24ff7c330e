import { encodeHex, equalConstantTime } from "#protocol/bytes.ts";
import { KmipError, type Nonce } from "#protocol/kmip/index.ts";

/** How long (ms) a nonce waits for its evidence. */
const LIFETIME = 60_000;
/** Nonces that one client may have open (its oldest goes first), and all together. */
const MOST_OF_ONE = 16;
const MOST = 4096;

interface Open {
  client: string;
  value: Uint8Array;
  expires: number;
}

/** Nonces of attestation (KMIP 2.1 §7.19): in memory, so that a restart ends them; each is good for one request. */
export class Nonces {
  #open = new Map<string, Open>();

  /** A fresh nonce for this client: an identifier of 16 random bytes, a value of 32. */
  issue(client: string, now: Date, random: (length: number) => Uint8Array<ArrayBuffer>): Nonce {
    for (const [id, { expires }] of this.#open) if (expires <= now.getTime()) this.#open.delete(id);
    const own = [...this.#open].filter(([, open]) => open.client === client);
    if (own.length >= MOST_OF_ONE) this.#open.delete(own[0]![0]);
    if (this.#open.size >= MOST) throw new KmipError("ServerLimitExceeded", "Too many attestations are open");
    const [nonceId, nonceValue] = [random(16), random(32)];
    this.#open.set(encodeHex(nonceId), {
      client,
      value: new Uint8Array(nonceValue),
      expires: now.getTime() + LIFETIME,
    });
    return { nonceId, nonceValue };
  }

  /** Whether the nonce is open, of this client and in time. It is gone then, whatever the answer. */
  consume({ nonceId, nonceValue }: Nonce, client: string, now: Date): boolean {
    const id = encodeHex(nonceId);
    const open = this.#open.get(id);
    this.#open.delete(id);
    return (
      open !== undefined &&
      open.client === client &&
      now.getTime() < open.expires &&
      equalConstantTime(open.value, nonceValue)
    );
  }
}
