/** The instance's own token: OAuth 2.0 client credentials with a private-key JWT (RFC 7523), bound to its identity key (RFC 9449). */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import {
  ASSERTION_JWT_TYPE,
  ASSERTION_SECONDS,
  CLIENT_ASSERTION_TYPE,
  type InstanceAssertion,
  instanceToken,
} from "#protocol/contract/index.ts";
import { digest } from "#protocol/digest.ts";
import { proofInput } from "#protocol/dpop.ts";
import { type EcPublicJwk, jwkFromSpki, thumbprint } from "#protocol/jwk.ts";
import { jwsInput, jwsToken } from "#protocol/jws.ts";
import { MADE_KEY_SECONDS, MADE_KEY_TYPE, type MadeKey, protectedHeader } from "#protocol/keys/index.ts";
import { parseCertificate } from "#protocol/pki/index.ts";
import type { Crypto } from "../crypto.ts";
import { signWith } from "../keys.ts";
import type { Rest } from "../rest.ts";
import type { InstanceRecord } from "../store.ts";
import type { MadeDataKey } from "./authorities.ts";
import type { Watch } from "./step.ts";

/** A token is renewed so long before it ends, milliseconds: it has to last for the request. */
const MARGIN = 30_000;

export type TokenOptions = {
  crypto: Crypto;
  rest: Rest;
  record: Pick<InstanceRecord, "id" | "custodian" | "identityKey" | "identityCertificate">;
  /** The vault's origin: for whom the assertion is, and where the token is good. */
  vault: string;
  /** Milliseconds since 1970. */
  now(): number;
  watch?: Watch | undefined;
};

type Request = { method: string; url: string };

/** `ends`: milliseconds since 1970; endless while it is on its way. */
type Held = { token: Promise<string>; ends: number };

export class InstanceToken {
  readonly #options: TokenOptions;
  #held: Held | undefined;

  constructor(options: TokenOptions) {
    this.#options = options;
  }

  async ready(): Promise<void> {
    await this.#token();
  }

  /** What authorizes one request: the token, and a fresh proof for it. */
  async headers(request: Request): Promise<Record<string, string>> {
    const accessToken = await this.#token();
    return { authorization: `DPoP ${accessToken}`, dpop: await this.#proof({ ...request, accessToken }) };
  }

  /** The instance's word for a data key that it has made: the KMS takes it from whoever passes it on. */
  async vouch(account: string, { wrappedKey, accountKey }: MadeDataKey) {
    const key = this.#jwk();
    const iat = seconds(this.#options.now());
    const made: MadeKey = {
      version: 1,
      ...{ instance: this.#options.record.id, account, accountKey },
      wrappedKeyDigest: await digest(decodeBase64url(wrappedKey)),
      ...{ iat, exp: iat + MADE_KEY_SECONDS },
    };
    const header = protectedHeader({ typ: MADE_KEY_TYPE, kid: await thumbprint(key) });
    return { key, statement: await this.#signed(jwsInput(header, made)) };
  }

  /** Whoever refused the token may know more than this clock: the next request asks for another one. */
  drop(): void {
    this.#held = undefined;
  }

  #token(): Promise<string> {
    if (this.#held && this.#options.now() < this.#held.ends) return this.#held.token;
    const held: Held = { token: this.#fetch((ends) => (held.ends = ends)), ends: Infinity };
    this.#held = held;
    held.token.catch(() => {
      if (this.#held === held) this.drop();
    });
    return held.token;
  }

  async #fetch(until: (ends: number) => void): Promise<string> {
    const { rest, now, watch } = this.#options;
    const body = new URLSearchParams({
      grant_type: "client_credentials",
      client_assertion_type: CLIENT_ASSERTION_TYPE,
      client_assertion: await this.#assertion(),
    });
    const headers = async (request: Request) => ({ dpop: await this.#proof(request) });
    const asked = now();
    watch?.({ step: "ask", whom: "IAM", what: "token" });
    // The assertion is used up once it has been seen.
    const answer = await rest(instanceToken, { body, headers, repeatable: false });
    watch?.({ step: "get", whom: "IAM", what: "token" });
    until(asked + answer.expires_in * 1000 - MARGIN);
    return answer.access_token;
  }

  async #assertion(): Promise<string> {
    const { record, vault, now } = this.#options;
    const { id, custodian, identityCertificate } = record;
    const iat = seconds(now());
    const claims: InstanceAssertion = {
      ...{ iss: id, sub: id, aud: vault, custodian },
      ...{ jti: this.#unique(), iat, exp: iat + ASSERTION_SECONDS },
    };
    const header = { alg: "ES256", typ: ASSERTION_JWT_TYPE, kid: await digest(identityCertificate) };
    return this.#signed(jwsInput(header, claims));
  }

  async #proof(subject: Request & { accessToken?: string }): Promise<string> {
    const of = { now: this.#options.now(), id: this.#unique() };
    return this.#signed(await proofInput(this.#jwk(), subject, of));
  }

  #jwk(): EcPublicJwk {
    return jwkFromSpki(parseCertificate(this.#options.record.identityCertificate).spki);
  }

  async #signed(input: string): Promise<string> {
    const { crypto, record } = this.#options;
    return jwsToken(input, await signWith(crypto.subtle, record.identityKey, utf8(input)));
  }

  #unique(): string {
    return encodeBase64url(this.#options.crypto.random(new Uint8Array(16)));
  }
}
