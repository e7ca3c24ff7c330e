import { seconds } from "#protocol/clock.ts";
import { ROOT_CA, TRUST_LIST } from "#protocol/hierarchy/index.ts";
import { type Edk, type TrustList, verifyEdk, verifyTrustList } from "#protocol/keys/index.ts";
import { type Hsm, UnexpectedAnswer } from "../hsm/index.ts";

/** A list is read again after so many seconds: a key that was added or taken off is known, or not any more, from then on. */
const LOOK_SECONDS = 60;

/** A list, and when it was read. Seconds since 1970. */
type Kept = { list: TrustList; read: number };

/** What an isolate keeps, by the HSM's address: each of its objects is as fresh as the one that looked last. */
const isolate = new Map<string, { kept?: Kept }>();

/** The trust list of this isolate. A deployment has one HSM, so that there is one of it. */
export function isolateTrust(hsm: Pick<Hsm, "opaque" | "publicKey">, url: string): Trust {
  const place = isolate.get(url) ?? {};
  isolate.set(url, place);
  return new Trust(hsm, () => seconds(Date.now()), place);
}

/**
 * The trust list as the HSM keeps it, verified under the root certificate there. Old verification keys stay on it, so
 * EDKs outlive the rotation of their signing key. Kept in memory, at `place`, for a minute.
 */
export class Trust {
  readonly #hsm: Pick<Hsm, "opaque" | "publicKey">;
  /** Seconds since 1970. */
  readonly #now: () => number;
  // Values alone are shared: a promise of one request must not be awaited by another.
  readonly #place: { kept?: Kept };

  constructor(hsm: Pick<Hsm, "opaque" | "publicKey">, now: () => number, place: { kept?: Kept } = {}) {
    this.#hsm = hsm;
    this.#now = now;
    this.#place = place;
  }

  async list(): Promise<TrustList> {
    const { kept } = this.#place;
    const now = this.#now();
    return kept && kept.list.exp > now && now < kept.read + LOOK_SECONDS ? kept.list : this.#read();
  }

  async verifyEdk(token: string): Promise<Edk> {
    return verifyEdk(token, await this.list(), this.#now());
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
    this.#place.kept = { list, read: this.#now() };
    return list;
  }
}
