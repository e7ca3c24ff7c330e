import { ROOT_CA, TRUST_LIST } from "#protocol/hierarchy/index.ts";
import { type Edk, JwsError, type TrustList, verifyEdk, verifyTrustList } from "#protocol/keys/index.ts";
import { type Hsm, UnexpectedAnswer } from "../hsm/index.ts";

/** Between two looks for a new trust list because of an unknown key, seconds. */
const LOOK_SECONDS = 60;

/**
 * The trust list as the HSM keeps it, verified under the root certificate there. Old verification keys stay on it, so
 * EDKs outlive the rotation of their signing key. Kept in memory until it ends.
 */
export class Trust {
  readonly #hsm: Pick<Hsm, "opaque" | "publicKey">;
  /** Seconds since 1970. */
  readonly #now: () => number;
  #kept: { list: TrustList; read: number } | undefined;

  constructor(hsm: Pick<Hsm, "opaque" | "publicKey">, now: () => number) {
    this.#hsm = hsm;
    this.#now = now;
  }

  async list(): Promise<TrustList> {
    return this.#kept && this.#kept.list.exp > this.#now() ? this.#kept.list : this.#read();
  }

  /** Verifies an EDK; a key that is not on the kept list makes us look for a new one, now and then. */
  async verifyEdk(token: string): Promise<Edk> {
    const list = await this.list();
    try {
      return await verifyEdk(token, list, this.#now());
    } catch (error) {
      const unknown = error instanceof JwsError && error.code === "jws-key";
      if (!unknown || (this.#kept && this.#now() < this.#kept.read + LOOK_SECONDS)) throw error;
      return verifyEdk(token, await this.#read(), this.#now());
    }
  }

  async #read(): Promise<TrustList> {
    const [token, root] = await Promise.all([
      this.#hsm.opaque(TRUST_LIST),
      this.#hsm.publicKey(ROOT_CA.publicKey),
    ]);
    const text = new TextDecoder().decode(token);
    const list = await verifyTrustList(text, root, this.#now()).catch((cause: unknown) => {
      throw new UnexpectedAnswer("The HSM's trust list does not hold", { cause });
    });
    this.#kept = { list, read: this.#now() };
    return list;
  }
}
