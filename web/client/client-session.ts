/**
 * The tokens of an application server that is a client of its own: OAuth 2.0 client credentials with a private-key JWT (RFC 7523), bound to a DPoP key
 * that lives as long as this process. No cookie, no person, no refresh token: it asks again by its registered key.
 */

import { jsonAnswer } from "#protocol/answer.ts";
import { utf8 } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import { type ClientAssertion, clientToken } from "#protocol/contract/client-token.ts";
import {
  ASSERTION_JWT_TYPE,
  ASSERTION_SECONDS,
  CLIENT_ASSERTION_TYPE,
} from "#protocol/contract/instance-token.ts";
import { CofferError } from "#protocol/error.ts";
import { thumbprint } from "#protocol/jwk.ts";
import { jwsInput, jwsToken } from "#protocol/jws.ts";
import { delay, Patience, type WaitListener } from "#protocol/patience.ts";
import { createDpopKey, createProof, type DpopKey, signWith } from "./dpop.ts";
import type { CertifiedKey } from "./mutual.ts";
import { errorFrom } from "./problem.ts";
import type { Session } from "./session.ts";
import type { Account, Identity } from "./sign-in.ts";

/** Asked for again so long before the end. Milliseconds. */
const MARGIN = 30_000;

/** The client as `coffer client register` has registered it: its id, and the key whose public half that was given. */
export type RegisteredKey = { id: string; key: DpopKey };

export interface ClientSessionOptions {
  /** Origins of the vault, which is the issuer, and of the app that the client is a custodian of. */
  vault: string;
  app: string;
  client: RegisteredKey;
  fetch: typeof fetch;
  /** Milliseconds since 1970. */
  now: () => number;
  onWait?: WaitListener | undefined;
}

type Held = { accessToken: string; ends: number; identity: Identity };

export class ClientSession implements Session {
  readonly #options: ClientSessionOptions;
  readonly #key = createDpopKey();
  #held: Held | undefined;
  #asking: Promise<Held> | undefined;

  constructor(options: ClientSessionOptions) {
    this.#options = options;
  }

  get identity(): Identity | undefined {
    return this.#held?.identity;
  }

  /** Gets the first token. Errors: `invalid-client` for who is not registered so, or not any more; `offline`. */
  async connect(): Promise<Identity> {
    return (await this.#ask()).identity;
  }

  async authorize(method: string, url: string, renew = false): Promise<Record<string, string>> {
    const held = this.#held;
    const good = !renew && held !== undefined && this.#options.now() < held.ends - MARGIN;
    const { accessToken } = good ? held : await this.#ask();
    const proof = await createProof(await this.#key, { method, url, accessToken }, this.#options.now());
    return { authorization: `DPoP ${accessToken}`, dpop: proof };
  }

  async certifiedKey(): Promise<CertifiedKey> {
    const { custodian } = (this.#held ?? (await this.#ask())).identity;
    const key = await this.#key;
    const { dn, certificate, chain = [] } = custodian;
    return { dn, certificate, chain, sign: (bytes) => signWith(key, bytes) };
  }

  /** The edge asks for no nonce. */
  learn(): boolean {
    return false;
  }

  async learnAccounts(accounts: Account[]): Promise<void> {
    if (this.#held) this.#held = { ...this.#held, identity: { ...this.#held.identity, accounts } };
  }

  /** One request at a time. */
  #ask(): Promise<Held> {
    this.#asking ??= this.#token().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #token(): Promise<Held> {
    const { app, fetch, now, onWait } = this.#options;
    const { path, method, answer } = clientToken;
    const url = new URL(path, app).href;
    for (const patience = new Patience(); ; ) {
      const asked = now();
      // Both work once: another try has others.
      const [assertion, dpop] = [
        await this.#assertion(await thumbprint((await this.#key).jwk)),
        await createProof(await this.#key, { method, url }, asked),
      ];
      const response = await fetch(url, {
        method,
        headers: { dpop, accept: "application/json" },
        body: new URLSearchParams({
          grant_type: "client_credentials",
          client_assertion_type: CLIENT_ASSERTION_TYPE,
          client_assertion: assertion,
        }),
        credentials: "omit",
        cache: "no-store",
        redirect: "error",
      }).catch((cause: unknown) => {
        throw new CofferError("offline", { cause });
      });
      if (response.ok) {
        const { access_token, expires_in, tenant, user, accounts, custodian } = await jsonAnswer(
          answer.status,
          answer.json,
        )(response);
        this.#held = {
          accessToken: access_token,
          ends: asked + expires_in * 1000,
          identity: { tenant, user, accounts, custodian },
        };
        return this.#held;
      }
      const wait = patience.after(response, true, now());
      if (wait === undefined) throw await errorFrom(response, now());
      await response.body?.cancel();
      onWait?.(wait);
      await delay(wait);
    }
  }

  /** Good together with the DPoP key of this thumbprint alone. */
  async #assertion(jkt: string): Promise<string> {
    const { client, vault, now } = this.#options;
    const { id, key } = client;
    const iat = seconds(now());
    const said: ClientAssertion = {
      ...{ iss: id, sub: id, aud: vault, jti: crypto.randomUUID(), iat, exp: iat + ASSERTION_SECONDS },
      cnf: { jkt },
    };
    const header = { alg: "ES256", typ: ASSERTION_JWT_TYPE, kid: await thumbprint(key.jwk) };
    const input = jwsInput(header, said);
    const by = { name: "ECDSA", hash: "SHA-256" };
    return jwsToken(input, new Uint8Array(await crypto.subtle.sign(by, key.privateKey, utf8(input))));
  }
}
