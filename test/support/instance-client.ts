/** An instance that asks KMS and IAM itself, as the edge sees it: a token by its identity key, and requests with it. */

import { randomUUID } from "node:crypto";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import { ASSERTION_JWT_TYPE, CLIENT_ASSERTION_TYPE } from "#protocol/contract/index.ts";
import { digest } from "#protocol/digest.ts";
import {
  joinJws,
  jwkFromSpki,
  MADE_KEY_TYPE,
  type MadeKey,
  signingInput,
  thumbprint,
} from "#protocol/keys/index.ts";
import { createProof, type DpopKey } from "#web/client/dpop.ts";
import type { EdgeClient } from "./edge-client.ts";
import { type Answer, json, send } from "./http.ts";
import { type EnrolmentAnswer, enrol, enrolBySecretZero, type Keys, makeKeys } from "./instance.ts";

const { subtle } = globalThis.crypto;
const ECDSA = { name: "ECDSA", hash: "SHA-256" };

export class InstanceClient {
  readonly vault: string;
  readonly account: string;
  readonly enrolled: EnrolmentAnswer;
  readonly keys: Keys;
  readonly key: DpopKey;
  token = "";

  private constructor(client: EdgeClient, keys: Keys, key: DpopKey, enrolled: EnrolmentAnswer) {
    this.vault = client.vault;
    this.account = client.account;
    this.keys = keys;
    this.key = key;
    this.enrolled = enrolled;
  }

  /** Enrolled for this custodian and named by it, without a token yet. */
  static async enrolled(client: EdgeClient, pair?: CryptoKeyPair): Promise<InstanceClient> {
    const instance = await InstanceClient.unnamed(client, pair);
    const named = await instance.name(client);
    if (named.status !== 204) throw new Error(`Not named: ${named.status} ${named.text}`);
    return instance;
  }

  /** Enrolled for this custodian, as the registration authority alone knows it. */
  static async unnamed(
    client: EdgeClient,
    pair?: CryptoKeyPair,
    how: (client: EdgeClient, keys: Keys) => Promise<Answer> = enrol,
  ): Promise<InstanceClient> {
    const keys = await makeKeys(pair);
    const { privateKey, publicKey } = keys.identity;
    const jwk = jwkFromSpki(new Uint8Array(await subtle.exportKey("spki", publicKey)));
    return new InstanceClient(client, keys, { privateKey, jwk }, json(await how(client, keys)));
  }

  /** Of an application server: enrolled without a cookie, named, and with a token. */
  static async launched(client: EdgeClient, pair?: CryptoKeyPair): Promise<InstanceClient> {
    const instance = await InstanceClient.unnamed(client, pair, enrolBySecretZero);
    const named = await instance.name(client);
    if (named.status !== 204) throw new Error(`Not named: ${named.status} ${named.text}`);
    await instance.authenticate();
    return instance;
  }

  static async ready(client: EdgeClient, pair?: CryptoKeyPair): Promise<InstanceClient> {
    const instance = await InstanceClient.enrolled(client, pair);
    await instance.authenticate();
    return instance;
  }

  /** Whoever's instance it is, this custodian says that it is theirs. */
  async name(
    custodian: EdgeClient,
    certificate: string = this.enrolled.identityCertificate,
    id: string = this.enrolled.instance,
  ): Promise<Answer> {
    return custodian.rest("PUT", `/iam/instances/${id}`, { certificate });
  }

  async authenticate(): Promise<void> {
    const answer = await this.askToken(await this.assertion());
    if (answer.status !== 200) throw new Error(`No token: ${answer.status} ${answer.text}`);
    this.token = json<{ access_token: string }>(answer).access_token;
  }

  /** A private-key JWT, with what a test would have otherwise. */
  async assertion(change: Record<string, unknown> = {}, header: { kid?: string } = {}): Promise<string> {
    const { instance, custodian, identityCertificate } = this.enrolled;
    const iat = seconds(Date.now());
    const kid = header.kid ?? (await digest(decodeBase64url(identityCertificate)));
    const input = signingInput(
      { typ: ASSERTION_JWT_TYPE, kid },
      {
        ...{ iss: instance, sub: instance, aud: this.vault, custodian, jti: randomUUID(), iat },
        exp: iat + 60,
        ...change,
      },
    );
    return joinJws(input, new Uint8Array(await subtle.sign(ECDSA, this.key.privateKey, utf8(input))));
  }

  async askToken(assertion: string, key = this.key): Promise<Answer> {
    const url = `${this.vault}/instances/token`;
    const form = {
      grant_type: "client_credentials",
      client_assertion_type: CLIENT_ASSERTION_TYPE,
      client_assertion: assertion,
    };
    return send(url, {
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        dpop: await createProof(key, { method: "POST", url }),
      },
      body: new URLSearchParams(form).toString(),
    });
  }

  /** An account key that it makes under the master key, which Enc(master) has (W11): AES Key Wrap, base64url. */
  async makeAccountKey(encMaster: Uint8Array<ArrayBuffer>): Promise<string> {
    const { privateKey } = this.keys.wrapping;
    const by = await subtle.unwrapKey("raw", encMaster, privateKey, "RSA-OAEP", "AES-KW", false, ["wrapKey"]);
    const made = await subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt"]);
    return encodeBase64url(new Uint8Array(await subtle.wrapKey("raw", made, by, "AES-KW")));
  }

  /** The instance's word for a data key that it has made, wrapped: what the KMS wants with it. */
  async vouched<M extends { wrappedKey: string; accountKey: string }>(
    made: M,
    change: Partial<MadeKey> = {},
  ) {
    const iat = seconds(Date.now());
    const said: MadeKey = {
      version: 1,
      ...{ instance: this.enrolled.instance, account: this.account, accountKey: made.accountKey },
      ...{ wrappedKeyDigest: await digest(decodeBase64url(made.wrappedKey)), iat, exp: iat + 60, ...change },
    };
    const { jwk: key, privateKey } = this.key;
    const input = signingInput({ typ: MADE_KEY_TYPE, kid: await thumbprint(key) }, said);
    const signature = new Uint8Array(await subtle.sign(ECDSA, privateKey, utf8(input)));
    return { ...made, key, statement: joinJws(input, signature) };
  }

  /** With token and a fresh proof. */
  async rest(method: string, path: string, body?: object): Promise<Answer> {
    const accessToken = this.token;
    const url = this.vault + path;
    const proven = url.split("?", 1)[0]!;
    return send(url, {
      method,
      headers: {
        authorization: `DPoP ${accessToken}`,
        dpop: await createProof(this.key, { method, url: proven, accessToken }),
        ...(body && { "content-type": "application/json" }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
  }
}
