/** An application server that is a client of its own, as far as the edge sees it: a registered key, assertions, tokens without a person. */

import { randomUUID } from "node:crypto";
import { utf8 } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import { ASSERTION_JWT_TYPE, CLIENT_ASSERTION_TYPE, type ClientTokens } from "#protocol/contract/index.ts";
import { joinJws, signingInput, thumbprint } from "#protocol/keys/index.ts";
import { createDpopKey, createProof, type DpopKey } from "#web/client/dpop.ts";
import { EdgeClient } from "./edge-client.ts";
import { type Answer, json, send } from "./http.ts";

type Origins = { appOrigin: string; vaultOrigin: string };

export class RegisteredClient extends EdgeClient {
  /** Its registered key; `key` is the one that its tokens are bound to. */
  registered: DpopKey;
  readonly name: string;
  id = "";

  private constructor(origins: Origins, name: string, registered: DpopKey) {
    super(origins);
    this.name = name;
    this.registered = registered;
  }

  /** Registered by this admin, for the admin's app unless it is said, and without a token yet. */
  static async registeredBy(
    admin: EdgeClient,
    name: string,
    { origins, app }: { origins?: Origins; app?: string } = {},
  ): Promise<RegisteredClient> {
    const at = origins ?? { appOrigin: admin.app, vaultOrigin: admin.vault };
    const client = new RegisteredClient(at, name, await createDpopKey());
    client.key = await createDpopKey();
    await client.register(admin, app);
    return client;
  }

  static async ready(admin: EdgeClient, name: string): Promise<RegisteredClient> {
    const client = await RegisteredClient.registeredBy(admin, name);
    await client.authenticate();
    return client;
  }

  /** The same again, or by the key that it has by now. */
  async register(admin: EdgeClient, app?: string, change?: string): Promise<void> {
    const order = {
      jwk: this.registered.jwk,
      ...(app !== undefined && { app }),
      ...(change !== undefined && { change }),
    };
    const answer = await admin.rest("PUT", `/admin/clients/${this.name}`, order);
    if (answer.status !== 200) throw new Error(`Not registered: ${answer.status} ${answer.text}`);
    this.id = json<{ id: string }>(answer).id;
  }

  async authenticate(): Promise<void> {
    const answer = await this.askToken(await this.assertion());
    if (answer.status !== 200) throw new Error(`No token: ${answer.status} ${answer.text}`);
    this.tokens = { ...json<ClientTokens>(answer), refresh_token: "" };
  }

  /** A private-key JWT, with what a test would have otherwise. */
  async assertion(
    change: Record<string, unknown> = {},
    {
      kid,
      typ = ASSERTION_JWT_TYPE,
      key = this.registered,
    }: { kid?: string; typ?: string; key?: DpopKey } = {},
  ): Promise<string> {
    const iat = seconds(Date.now());
    const cnf = { jkt: await thumbprint(this.key.jwk) };
    const said = { iss: this.id, sub: this.id, aud: this.vault, jti: randomUUID(), iat, exp: iat + 60, cnf };
    const header = { typ, kid: kid ?? (await thumbprint(this.registered.jwk)) };
    const input = signingInput(header, { ...said, ...change });
    const by = { name: "ECDSA", hash: "SHA-256" };
    const signature = await crypto.subtle.sign(by, key.privateKey, utf8(input));
    return joinJws(input, new Uint8Array(signature));
  }

  async askToken(assertion: string, change: Record<string, string> = {}, app = this.app): Promise<Answer> {
    const url = `${app}/clients/token`;
    const form = {
      grant_type: "client_credentials",
      client_assertion_type: CLIENT_ASSERTION_TYPE,
      client_assertion: assertion,
      ...change,
    };
    return send(url, {
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        dpop: await createProof(this.key, { method: "POST", url }),
      },
      body: new URLSearchParams(form).toString(),
    });
  }
}
