/** An instance as the RA sees one: keys of Node's WebCrypto and the ceremony of enrolment, each step open to tampering. */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import { type TrustList, verifyTrustList } from "#protocol/keys/index.ts";
import { parseCertificate, signedRequest, wrappingProofInput } from "#protocol/pki/index.ts";
import { renewalInput } from "#protocol/renewal.ts";
import type { EnrolmentAnswer } from "#web/microservice/registration.ts";
import { changeRows } from "../system/databases.ts";
import type { EdgeClient } from "./edge-client.ts";
import { type Answer, json } from "./http.ts";

const { subtle } = globalThis.crypto;
const ECDSA = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

export type { EnrolmentAnswer };

export type Keys = { identity: CryptoKeyPair; wrapping: CryptoKeyPair };

/** `pair` is used again for wrapping where it is given: it takes long to make. */
export async function makeKeys(pair?: CryptoKeyPair): Promise<Keys> {
  const [identity, wrapping] = await Promise.all([
    subtle.generateKey(ECDSA, false, ["sign", "verify"]),
    pair ?? makeWrappingPair(),
  ]);
  return { identity, wrapping };
}

function makeWrappingPair(): Promise<CryptoKeyPair> {
  const rsa = {
    name: "RSA-OAEP",
    hash: "SHA-256",
    modulusLength: 3072,
    publicExponent: new Uint8Array([1, 0, 1]),
  };
  return subtle.generateKey(rsa, false, ["decrypt", "unwrapKey", "wrapKey", "encrypt"]);
}

/** Opens a session on the vault's origin. */
export async function openSession(client: EdgeClient): Promise<{ id: string; nonce: string }> {
  return json(await client.vaultPost("/ra/enrolments", {}));
}

/** The body that redeems a grant, or the credential of another method, in this session. */
export async function redemption(
  credential: string,
  nonce: string,
  { identity, wrapping }: Keys,
  method = "grant",
  attributes: Uint8Array[] = [],
) {
  const sign = async (bytes: Uint8Array<ArrayBuffer>) =>
    new Uint8Array(await subtle.sign(ECDSA, identity.privateKey, bytes));
  const spki = async (key: CryptoKey) => new Uint8Array(await subtle.exportKey("spki", key));
  const wrappingKey = await spki(wrapping.publicKey);
  const request = {
    commonName: "anyone",
    spki: await spki(identity.publicKey),
    challengePassword: nonce,
    attributes,
  };
  return {
    method,
    credential,
    identityRequest: encodeBase64url(await signedRequest(request, sign)),
    wrappingKey: encodeBase64url(wrappingKey),
    wrappingProof: encodeBase64url(await sign(wrappingProofInput(decodeBase64url(nonce), wrappingKey))),
  };
}

export async function askGrant(client: EdgeClient): Promise<string> {
  return json<{ grant: string }>(await client.rest("POST", "/ra/grants", {})).grant;
}

/** The whole ceremony as it should be; returns the answer, whatever it is. */
export async function enrol(
  client: EdgeClient,
  keys: Keys,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const grant = await askGrant(client);
  const { id, nonce } = await openSession(client);
  return client.vaultPost(`/ra/enrolments/${id}`, await redemption(grant, nonce, keys), headers);
}

/** An instance that has enrolled, with the keys that it made. */
export type Instance = { client: EdgeClient; keys: Keys; enrolled: EnrolmentAnswer };

/** Enrols one for a client; `pair` as in `makeKeys`. */
export async function instanceOf(client: EdgeClient, pair?: CryptoKeyPair): Promise<Instance> {
  const keys = await makeKeys(pair);
  return { client, keys, enrolled: json<EnrolmentAnswer>(await enrol(client, keys)) };
}

/** The trust list that it was given, verified by the root of its own chain. */
export function trustOf({ enrolled: { trust, chain } }: Pick<Instance, "enrolled">): Promise<TrustList> {
  const root = parseCertificate(decodeBase64url(chain[1]!)).spki;
  return verifyTrustList(trust, root, seconds(Date.now()));
}

/** The body by which an instance asks for its renewal. */
export async function renewalOf(
  { identityCertificate, wrappingCertificate }: EnrolmentAnswer,
  { identity }: Keys,
): Promise<{ identityCertificate: string; wrappingCertificate: string; proof: string }> {
  const certificates = {
    identity: decodeBase64url(identityCertificate),
    wrapping: decodeBase64url(wrappingCertificate),
  };
  const input = await renewalInput(subtle, certificates);
  const signed = new Uint8Array(await subtle.sign(ECDSA, identity.privateKey, input));
  return { identityCertificate, wrappingCertificate, proof: encodeBase64url(signed) };
}

/** The same by a secret zero (M2), without a cookie, for whoever has a token. */
export async function enrolBySecretZero(client: EdgeClient, keys: Keys): Promise<Answer> {
  const { dn: custodian } = client.tokens.custodian;
  const { secretZero } = json<{ secretZero: string }>(
    await client.rest("POST", "/ra/secret-zeros", { custodian }),
  );
  const principal = client.tokens.user.id;
  const { id, nonce } = json<{ id: string; nonce: string }>(
    await client.vaultPost("/ra/enrolments", { principal }, { cookie: "" }),
  );
  const body = await redemption(secretZero, nonce, keys, "secret-zero");
  return client.vaultPost(`/ra/enrolments/${id}`, body, { cookie: "" });
}

/** Has the edge take the first half of the instance's life for over, so that it may be renewed, whatever the clock says. */
export function ageByHalf(edgeDir: string, { instance }: EnrolmentAnswer): void {
  const longAgo = "UPDATE instances SET enrolled = unixepoch() - 2 - (not_after - unixepoch())";
  const changed = changeRows(edgeDir, "instances", `${longAgo} WHERE id = '${instance}'`);
  if (changed !== 1) throw new Error(`${changed} instances have the id ${instance}`);
}
