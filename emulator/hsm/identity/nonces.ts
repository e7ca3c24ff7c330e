import { encodeHex, equalConstantTime } from "#protocol/bytes.ts";
import type { Nonce } from "#protocol/kmip/index.ts";

/** How long (ms) a nonce waits for its evidence. */
const LIFETIME = 60_000;
/** Nonces that one client may have open (its oldest goes first), and clients that may have any. */
const MAX_OF_ONE = 256;
const MAX_CLIENTS = 1024;

interface Open {
  value: Uint8Array;
  expires: number;
}

/** Nonces of attestation (KMIP 2.1 §9.14 Nonce): in memory, so that a restart ends them; each is good for one request. */
export class Nonces {
  /** By client, then by identifier; oldest first. */
  #open = new Map<string, Map<string, Open>>();

  /**
   * A fresh nonce for this client: an identifier of 16 random bytes, a value of 32. Undefined where too many clients
   * have some: the client asks again later.
   */
  issue(client: string, now: Date, random: (length: number) => Uint8Array<ArrayBuffer>): Nonce | undefined {
    const own = this.#open.get(client) ?? new Map<string, Open>();
    if (!this.#open.has(client)) {
      if (this.#open.size >= MAX_CLIENTS) this.#forget(now);
      if (this.#open.size >= MAX_CLIENTS) return undefined;
      this.#open.set(client, own);
    }
    const [oldest] = own.keys();
    if (oldest !== undefined && own.size >= MAX_OF_ONE) own.delete(oldest);
    const [nonceId, nonceValue] = [random(16), random(32)];
    own.set(encodeHex(nonceId), { value: new Uint8Array(nonceValue), expires: now.getTime() + LIFETIME });
    return { nonceId, nonceValue };
  }

  /** Whether the nonce is open, of this client and in time. It is gone then, whatever the answer. */
  consume({ nonceId, nonceValue }: Nonce, client: string, now: Date): boolean {
    const id = encodeHex(nonceId);
    // A client that shows another's nonce uses it up: it is no longer a secret.
    const found = [...this.#open].find(([, nonces]) => nonces.has(id));
    const [owner, nonces] = found ?? [];
    const open = nonces?.get(id);
    nonces?.delete(id);
    return (
      open !== undefined &&
      owner === client &&
      now.getTime() < open.expires &&
      equalConstantTime(open.value, nonceValue)
    );
  }

  #forget(now: Date): void {
    for (const [client, nonces] of this.#open) {
      for (const [id, { expires }] of nonces) if (expires <= now.getTime()) nonces.delete(id);
      if (nonces.size === 0) this.#open.delete(client);
    }
  }
}
