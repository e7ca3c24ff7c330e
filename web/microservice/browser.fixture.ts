/** One browser with the microservices of its tabs: what they store, what they tell each other, and a clock that tests move. */

import { concat } from "#protocol/bytes.ts";
import { CofferError, type ErrorCode } from "#protocol/error.ts";
import { createPortClient, type PortClient, servePort } from "#protocol/port/index.ts";
import { type Authority, type Change, DN, type Leaf, ORIGIN, START } from "./authority.fixture.ts";
import {
  captureCrypto,
  createMicroservice,
  type Ended,
  type MicroserviceOptions,
  memoryStore,
  type Peers,
} from "./index.ts";
import type { SessionOwner } from "./registration.ts";

/** What a document is sealed with. */
export const context = { tenant: "acme", account: "a-1", document: "d-1", purpose: "document" };

export class TestBrowser {
  now = START;
  readonly store = memoryStore();
  /** How often a key was unwrapped. */
  unwraps = 0;
  /** What the vault's origin says of its cookie; throws where it would. */
  session: () => SessionOwner = () => ({ tenant: "acme", user: "u-1", session: "s-1" });
  readonly #authority: Authority;
  readonly #listeners: ((ended: Ended) => void)[][] = [];
  readonly #timers: { task: () => void; at: number }[] = [];

  constructor(authority: Authority) {
    this.#authority = authority;
  }

  /** The registration authority, which sees this browser's session. */
  registration(change?: Change, said?: Leaf) {
    return this.#authority.registration(this, change, said);
  }

  pass(milliseconds: number): void {
    this.now += milliseconds;
    for (const timer of this.#timers.filter(({ at }) => at <= this.now)) {
      this.#timers.splice(this.#timers.indexOf(timer), 1);
      timer.task();
    }
  }

  /** A tab, or the same one after a reload. */
  start(
    registration = this.registration(),
    origin = ORIGIN,
    more: Pick<MicroserviceOptions, "appKey" | "attester" | "authorities" | "watch"> = {},
  ) {
    const captured = captureCrypto(crypto);
    const counting = {
      ...captured,
      subtle: {
        ...captured.subtle,
        unwrapKey: (...parameters: Parameters<SubtleCrypto["unwrapKey"]>) => {
          this.unwraps++;
          return captured.subtle.unwrapKey(...parameters);
        },
      },
    };
    const microservice = createMicroservice({
      crypto: counting as typeof captured,
      store: this.store,
      registration,
      rootKey: this.#authority.root.spki,
      origin,
      measurement: "sha384-test",
      peers: this.#peers(),
      now: () => this.now,
      schedule: (task, delay) => this.#timers.push({ task, at: this.now + delay }),
      timeToLive: 60_000,
      ...more,
    });
    const { port1, port2 } = new MessageChannel();
    servePort(port2, microservice, { onUnexpected: (error) => console.error(error) });
    return { client: createPortClient(port1), microservice };
  }

  async enrolledClient() {
    const started = this.start();
    await started.client.hello(DN);
    const instance = await started.client.enrol({ method: "grant", grant: "grant" });
    return { ...started, instance };
  }

  /** Each tab hears what the others tell. */
  #peers(): Peers {
    const own: ((ended: Ended) => void)[] = [];
    this.#listeners.push(own);
    return {
      tell: (ended) => {
        for (const others of this.#listeners)
          if (others !== own) for (const listener of others) listener(ended);
      },
      listen: (listener) => void own.push(listener),
    };
  }
}

export const refuse = (code: ErrorCode) => () => {
  throw new CofferError(code);
};

/** The code by which a tab refuses to use keys, or null. */
export const lives = (client: PortClient) =>
  client.has("e30.e30.AA").then(
    () => null,
    (error: CofferError) => error.code,
  );

export async function collect(stream: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return concat(...chunks);
}
