import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import { fits, list, open } from "#protocol/shape.ts";
import type { OidcSettings } from "../../oidc.ts";
import { askJson } from "./ask.ts";
import { ProviderError } from "./failure.ts";
import { type Metadata, metadataAddress, readMetadata } from "./metadata.ts";

/** What is kept of a provider is asked for again after so long: a key that it took back is good for as long. Milliseconds. */
const FRESH_MS = 10 * 60_000;
/** For a key that is not known, its keys are asked for again at most so often, whatever tokens come. Milliseconds. */
const AGAIN_MS = 10_000;

/** Where it is found is known for so long from a provider that does not answer. Its keys are not. Milliseconds. */
const STALE_MS = 24 * 3600_000;

type Aged<T> = { value: T; read: number };
type Kept = { metadata?: Aged<Metadata>; asked?: number; keys?: Aged<JWTVerifyGetKey> };

const keySet = open({ keys: list(open({}), 0, 100) });

/** An isolate's copies of what providers publish. Values alone are shared: one request must not wait for another's answer. */
export class Providers {
  readonly #fetch: typeof globalThis.fetch;
  readonly #now: () => number;
  readonly #kept = new Map<string, Kept>();

  constructor(fetch: typeof globalThis.fetch, now: () => number = Date.now) {
    this.#fetch = fetch;
    this.#now = now;
  }

  /** Asks a provider by this isolate's means: `askJson`. */
  ask(url: string, init: Parameters<typeof askJson>[2]): ReturnType<typeof askJson> {
    return askJson(this.#fetch, url, init);
  }

  async metadata(settings: OidcSettings, strict: boolean): Promise<Metadata> {
    const kept = this.#of(settings);
    const { metadata, asked = Number.NEGATIVE_INFINITY } = kept;
    const age = metadata === undefined ? Number.POSITIVE_INFINITY : this.#age(metadata);
    const read = this.#now();
    if (metadata && (age < FRESH_MS || (age < STALE_MS && read - asked < AGAIN_MS))) return metadata.value;
    kept.asked = read;
    try {
      const { status, body } = await this.ask(metadataAddress(settings.issuer), {});
      if (status !== 200) throw new ProviderError("unavailable", `the provider's metadata: ${status}`);
      const value = readMetadata(body, settings, strict);
      kept.metadata = { value, read };
      return value;
    } catch (error) {
      if (metadata && age < STALE_MS) return metadata.value;
      throw error;
    }
  }

  /** Finds the key of a token: where it is not known, the provider may have changed its keys. */
  async keys(settings: OidcSettings, metadata: Metadata): Promise<JWTVerifyGetKey> {
    const kept = this.#of(settings);
    const known =
      kept.keys !== undefined && this.#age(kept.keys) < FRESH_MS
        ? kept.keys
        : await this.#readKeys(kept, metadata);
    return async (header, token) => {
      try {
        return await known.value(header, token);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
        const newest = kept.keys ?? known;
        const current = this.#age(newest) < AGAIN_MS ? newest : await this.#readKeys(kept, metadata);
        return current.value(header, token);
      }
    };
  }

  async #readKeys(kept: Kept, metadata: Metadata): Promise<Aged<JWTVerifyGetKey>> {
    const read = this.#now();
    const { status, body } = await this.ask(metadata.keys, {});
    if (status !== 200 || !fits(keySet, body))
      throw new ProviderError("unavailable", "the provider's keys are no key set");
    kept.keys = { value: createLocalJWKSet(body as JSONWebKeySet), read };
    return kept.keys;
  }

  #of({ issuer }: OidcSettings): Kept {
    const kept = this.#kept.get(issuer) ?? {};
    this.#kept.set(issuer, kept);
    return kept;
  }

  #age({ read }: Aged<unknown>): number {
    return this.#now() - read;
  }
}
