/** Who a microservice under test deals with: the authorities of a deployment, its KMS, its registration authority. */

import { webcrypto } from "node:crypto";
import { seconds } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import { SIGN_TYPE } from "#protocol/hierarchy/index.ts";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { expect } from "vitest";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { concat, utf8 } from "#protocol/bytes.ts";
import type { Redemption } from "#protocol/contract/index.ts";
import { CofferError } from "#protocol/error.ts";
import {
  type AccountEdk,
  joinJws,
  jwkFromSpki,
  type Receipt,
  signingInput,
  TRUST_TYPE,
  thumbprint,
  trustListPayload,
} from "#protocol/keys/index.ts";
import { LEVEL_POLICY, METHOD_POLICY, parseCertificate, TIER_POLICY } from "#protocol/pki/index.ts";
import { WEB_SIGNATURES } from "#protocol/signatures.ts";
import type { EnrolmentAnswer, Registration, SessionOwner } from "./registration.ts";

type Bytes = Uint8Array<ArrayBuffer>;
const { subtle } = crypto;
const ECDSA = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
export const ORIGIN = "https://app.example";
export const DN = `CN=u-1,OU=${ORIGIN},O=acme`;
export const START = Date.parse("2026-11-22T00:00:00Z");

export type Signer = { keys: CryptoKeyPair; spki: Bytes; kid: string };

export async function signer(): Promise<Signer> {
  const keys = await subtle.generateKey(ECDSA, false, ["sign", "verify"]);
  const spki = new Uint8Array(await subtle.exportKey("spki", keys.publicKey));
  return { keys, spki, kid: await thumbprint(jwkFromSpki(spki)) };
}

export async function jws({ keys, kid }: Signer, typ: string, payload: object): Promise<string> {
  const input = signingInput({ typ, kid }, payload);
  return joinJws(input, new Uint8Array(await subtle.sign(ECDSA, keys.privateKey, utf8(input))));
}

type Order = {
  subject: string;
  key: CryptoKey | Bytes;
  issuer: string;
  by: Signer;
  extensions: x509.Extension[];
  notAfter?: number;
};

export async function certify({
  key,
  by,
  notAfter = START + 24 * 3600_000,
  ...order
}: Order): Promise<Bytes> {
  const made = await x509.X509CertificateGenerator.create({
    ...order,
    publicKey: key instanceof Uint8Array ? new x509.PublicKey(key) : key,
    signingKey: by.keys.privateKey,
    signingAlgorithm: ECDSA,
    serialNumber: "01",
    notBefore: new Date(START - 60_000),
    notAfter: new Date(notAfter),
  });
  return new Uint8Array(made.rawData);
}

const authorityExtensions = (pathLength: number) => [
  new x509.BasicConstraintsExtension(true, pathLength, true),
  new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
];

export const { digitalSignature, keyAgreement, keyEncipherment } = x509.KeyUsageFlags;

/** What the registration authority writes into an instance's certificate. */
export function leafExtensions({
  usage,
  custodian = DN,
  method = "grant",
  tier = "software",
  level,
}: {
  usage: number;
  custodian?: string;
  method?: keyof typeof METHOD_POLICY;
  tier?: keyof typeof TIER_POLICY;
  /** Of a wrapping certificate. */
  level?: keyof typeof LEVEL_POLICY | undefined;
}): x509.Extension[] {
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(usage, true),
    new x509.SubjectAlternativeNameExtension([{ type: "dn", value: custodian }]),
    new x509.CertificatePolicyExtension([
      METHOD_POLICY[method],
      TIER_POLICY[tier],
      ...(level ? [LEVEL_POLICY[level]] : []),
    ]),
  ];
}

export type Leaf = Partial<Parameters<typeof leafExtensions>[0]>;

export const certifyRoot = (by: Signer) =>
  certify({
    subject: "CN=Root",
    key: by.keys.publicKey,
    issuer: "CN=Root",
    by,
    extensions: authorityExtensions(1),
  });

/** The public key in what the authority issued. */
export const spkiOf = (certificate: string) => parseCertificate(decodeBase64url(certificate)).spki;

/** What a registration authority answers otherwise than it should. */
export type Change = (
  enrolled: EnrolmentAnswer,
) => Promise<Partial<EnrolmentAnswer>> | Partial<EnrolmentAnswer>;

/** Node has all; another engine (test/peculiar) may lack ML-DSA. */
export const ENGINE_SIGNATURES = (Object.keys(WEB_SIGNATURES) as (keyof typeof WEB_SIGNATURES)[]).filter(
  (algorithm) => algorithm !== "ML-DSA-65" || crypto === webcrypto,
);

/** What the HSM does: a pair whose private half is encrypted under that key. */
export async function signingPair(key: Bytes, algorithm: keyof typeof WEB_SIGNATURES) {
  const { keys } = WEB_SIGNATURES[algorithm];
  const rsa = { modulusLength: 3072, publicExponent: new Uint8Array([1, 0, 1]) };
  const pair = (await subtle.generateKey({ ...keys, ...(algorithm === "PS256" && rsa) }, true, [
    ...(["sign", "verify"] as const),
  ])) as CryptoKeyPair;
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const by = await subtle.importKey("raw", key, "AES-GCM", false, ["wrapKey"]);
  const wrapped = await subtle.wrapKey("pkcs8", pair.privateKey, by, { name: "AES-GCM", iv });
  return {
    publicKey: encodeBase64url(new Uint8Array(await subtle.exportKey("spki", pair.publicKey))),
    privateKey: encodeBase64url(concat(iv, new Uint8Array(wrapped))),
  };
}

export type Authority = Awaited<ReturnType<typeof makeAuthority>>;

/** The authorities of one deployment. */
export async function makeAuthority() {
  const [root, ca, edkSigner, receiptSigner] = await Promise.all([signer(), signer(), signer(), signer()]);
  const leaf = (key: CryptoKey | Bytes, usage: number, changes: Leaf = {}) =>
    certify({
      subject: "CN=i-1",
      key,
      issuer: "CN=CA",
      by: ca,
      extensions: leafExtensions({ usage, ...changes }),
    });
  const certifyCa = (changes: Partial<Order> = {}) =>
    certify({
      subject: "CN=CA",
      key: ca.keys.publicKey,
      issuer: "CN=Root",
      by: root,
      extensions: authorityExtensions(0),
      ...changes,
    });
  const trustList = async (serial: number) => {
    const keys = [
      { key: jwkFromSpki(edkSigner.spki), purpose: "edk" as const },
      { key: jwkFromSpki(receiptSigner.spki), purpose: "receipt" as const },
    ];
    const issue = { serial, iat: START / 1000 - 60, exp: START / 1000 + 3600 * 48 };
    return jws(root, TRUST_TYPE, await trustListPayload(keys, issue));
  };
  const chain = [encodeBase64url(await certifyCa()), encodeBase64url(await certifyRoot(root))];
  const trust = await trustList(2);

  /** A registration authority that checks the request as the real one does, and knows the browser's session and clock. */
  function registration(
    browser: { session: () => SessionOwner; now: number },
    change: Change = () => ({}),
    said: Leaf = {},
  ): Registration {
    const nonce = crypto.getRandomValues(new Uint8Array(32));
    return {
      session: async () => browser.session(),
      renew: async () => {
        throw new CofferError("offline");
      },
      open: async () => ({ id: "e-1", nonce: encodeBase64url(nonce) }),
      async redeem(id, body) {
        expect(id).toBe("e-1");
        if (body.credential !== "grant") throw new CofferError("invalid-grant");
        const request = new x509.Pkcs10CertificateRequest(decodeBase64url(body.identityRequest!));
        expect(await request.verify()).toBe(true);
        const [challenge] = request.attributes.filter(
          (one) => one instanceof x509.ChallengePasswordAttribute,
        );
        expect(challenge?.password).toBe(encodeBase64url(nonce));
        const wrapping = decodeBase64url(body.wrappingKey!);
        const identity = await request.publicKey.export(
          { name: "ECDSA", namedCurve: "P-256" },
          ["verify"],
          crypto,
        );
        const signed = concat(utf8("coffer-wrapping-key-v1\0"), nonce, wrapping);
        expect(await subtle.verify(ECDSA, identity, decodeBase64url(body.wrappingProof!), signed)).toBe(true);
        const enrolled: EnrolmentAnswer = {
          instance: "i-1",
          method: "grant",
          identityCertificate: encodeBase64url(
            await leaf(identity, digitalSignature, { ...said, level: undefined }),
          ),
          wrappingCertificate: encodeBase64url(await leaf(wrapping, keyEncipherment, said)),
          chain,
          trust,
          ...(body.hybrid && { hybrid: await certifyHybrid(body.hybrid, identity, nonce, said) }),
          custodian: DN,
          origin: ORIGIN,
          notAfter: seconds(browser.now) + 3600,
        };
        return { ...enrolled, ...(await change(enrolled)) };
      },
    };
  }

  /** The certificates of a hybrid recipient, for keys that the identity key has signed for. */
  async function certifyHybrid(
    { agreementKey, kemKey, proof }: NonNullable<Redemption["hybrid"]>,
    identity: CryptoKey,
    nonce: Bytes,
    said: Leaf,
  ) {
    const [agreement, kem] = [decodeBase64url(agreementKey), decodeBase64url(kemKey)];
    const signed = concat(utf8("coffer-hybrid-keys-v1\0"), nonce, agreement, kem);
    expect(await subtle.verify(ECDSA, identity, decodeBase64url(proof), signed)).toBe(true);
    return {
      agreementCertificate: encodeBase64url(await leaf(agreement, keyAgreement, said)),
      kemCertificate: encodeBase64url(await leaf(kem, keyEncipherment, said)),
    };
  }

  /** The last data key of each identifier. */
  const released = new Map<string, Uint8Array>();

  /** What the KMS does: a data key, its EDK, rewrapped to a certificate, with a receipt. */
  async function release(
    certificate: string,
    changes: {
      edk?: Partial<AccountEdk>;
      receipt?: Partial<Receipt>;
      receiptBy?: Signer;
      edkBy?: Signer;
      /** A pair for this algorithm of signatures, which the key is over. */
      pair?: keyof typeof WEB_SIGNATURES;
      /** In place of RSA-OAEP. */
      wrap?: (key: Bytes) => Bytes;
    } = {},
  ) {
    const recipient = decodeBase64url(certificate);
    const publicKey = await new x509.X509Certificate(recipient).publicKey.export(
      { name: "RSA-OAEP", hash: "SHA-256" } as never,
      ["encrypt"],
      crypto,
    );
    const key = crypto.getRandomValues(new Uint8Array(32));
    released.set(changes.edk?.keyId ?? "k-1", key);
    const wrapped = changes.wrap?.(key) ?? new Uint8Array(await subtle.encrypt("RSA-OAEP", publicKey, key));
    const policy = { operations: ["encrypt", "decrypt"] as ("encrypt" | "decrypt")[] };
    const edk = await jws(changes.edkBy ?? edkSigner, SIGN_TYPE.edk, {
      version: 1,
      keyId: "k-1",
      keyVersion: 1,
      algorithm: "AES-256-GCM-HKDF-SHA512-COMMIT-KEY",
      tenant: "acme",
      account: "a-1",
      owner: "u-1",
      created: START / 1000,
      purpose: "document",
      accountKey: { id: "ak-1", version: 1 },
      wrapping: "A256KW",
      wrappedKey: encodeBase64url(crypto.getRandomValues(new Uint8Array(40))),
      policy,
      ...(changes.pair && { algorithm: changes.pair, signing: await signingPair(key, changes.pair) }),
      ...changes.edk,
    } satisfies AccountEdk);
    const receipt = await jws(changes.receiptBy ?? receiptSigner, SIGN_TYPE.receipt, {
      version: 1,
      wrappedKeyDigest: await digest(wrapped),
      edkDigest: await digest(edk),
      keyId: "k-1",
      keyVersion: 1,
      recipient: await digest(recipient),
      tenant: "acme",
      account: "a-1",
      policy,
      iat: START / 1000,
      exp: START / 1000 + 3600,
      ...changes.receipt,
    } satisfies Receipt);
    return { way: "rewrap" as const, edk, wrappedKey: encodeBase64url(wrapped), receipt };
  }

  return {
    ...{ root, ca, edkSigner, receiptSigner, chain },
    ...{ leaf, certifyCa, trustList, registration, release, released },
  };
}
