import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { TIER_POLICY } from "#protocol/pki/index.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** An emulated root like that of AWS Nitro. Who holds `key` says what ran; a verifier holds `root` alone. */
export interface NitroAuthority {
  /** Certificate, DER. */
  root: Bytes;
  key: CryptoKey;
  /** 32 bytes that platforms under this root seal with. */
  secret: Bytes;
}

/** One certificate below the root. The times are milliseconds since 1970. */
export interface CertificateOrder {
  notBefore: number;
  notAfter: number;
  authority: boolean;
  pathLength: number | undefined;
  usage: number;
  policies: readonly string[];
  curve: "P-256" | "P-384";
}

/** The certificates below the root, from the top: their names, and how AWS's are made. */
export type Link = "region" | "instance" | "signer";
export type ChainChanges = { readonly [L in Link]?: Partial<CertificateOrder> };

/** Who signs documents: the key, its certificate, and the issuers with the root first, DER. */
export interface NitroSigner {
  key: CryptoKey;
  certificate: Bytes;
  bundle: Bytes[];
}

const HOUR = 3600 * 1000;
const DAY = 24 * HOUR;
const { digitalSignature, keyCertSign, cRLSign } = x509.KeyUsageFlags;
const ES384 = { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" } as const;

/** Makes a root (P-384) that is good for a year from `now`. */
export async function makeNitroAuthority(now: Date): Promise<NitroAuthority> {
  const keys = await newKeys("P-384");
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: named("EMULATED Nitro root"),
    keys,
    signingAlgorithm: ES384,
    notBefore: new Date(now.getTime() - DAY),
    notAfter: new Date(now.getTime() + 365 * DAY),
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(digitalSignature | keyCertSign | cRLSign, true),
    ],
  });
  return {
    root: new Uint8Array(root.rawData),
    key: keys.privateKey,
    secret: crypto.getRandomValues(new Uint8Array(32)),
  };
}

/** What is kept of an authority over restarts: base64url, the key as PKCS#8. Who holds it says what ran. */
export interface NitroAuthorityKept {
  root: string;
  key: string;
  secret: string;
}

export async function keepNitroAuthority({ root, key, secret }: NitroAuthority): Promise<NitroAuthorityKept> {
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", key));
  return { root: encodeBase64url(root), key: encodeBase64url(pkcs8), secret: encodeBase64url(secret) };
}

export async function keptNitroAuthority({ root, key, secret }: NitroAuthorityKept): Promise<NitroAuthority> {
  const imported = await crypto.subtle.importKey("pkcs8", decodeBase64url(key), ES384, false, ["sign"]);
  return { root: decodeBase64url(root), key: imported, secret: decodeBase64url(secret) };
}

/** Makes the certificates below the root at `now`, as AWS does: region, instance, and a signer that lives three hours. */
export async function issueSigner(
  { root, key }: NitroAuthority,
  now: number,
  changes: ChainChanges = {},
): Promise<NitroSigner> {
  const orders: Record<Link, CertificateOrder> = {
    region: { ...authorityOrder(now, 20 * DAY, 1), ...changes.region },
    instance: { ...authorityOrder(now, DAY, 0), ...changes.instance },
    signer: {
      notBefore: now - 3000,
      notAfter: now + 3 * HOUR,
      authority: false,
      pathLength: undefined,
      usage: digitalSignature,
      policies: [TIER_POLICY.emulated],
      curve: "P-384",
      ...changes.signer,
    },
  };
  let issuer = { name: new x509.X509Certificate(root).subjectName.toJSON(), key };
  const issued: Bytes[] = [root];
  for (const [link, order] of Object.entries(orders)) {
    const keys = await newKeys(order.curve);
    const subject = named(`EMULATED Nitro ${link}`);
    const certificate = await x509.X509CertificateGenerator.create({
      subject,
      issuer: issuer.name,
      publicKey: keys.publicKey,
      signingKey: issuer.key,
      signingAlgorithm: ES384,
      notBefore: new Date(order.notBefore),
      notAfter: new Date(order.notAfter),
      extensions: [
        new x509.BasicConstraintsExtension(order.authority, order.pathLength, true),
        new x509.KeyUsagesExtension(order.usage, true),
        ...(order.policies.length > 0 ? [new x509.CertificatePolicyExtension([...order.policies])] : []),
      ],
    });
    issuer = { name: subject, key: keys.privateKey };
    issued.push(new Uint8Array(certificate.rawData));
  }
  const certificate = issued.pop();
  if (!certificate) throw new Error("nothing was issued");
  return { key: issuer.key, certificate, bundle: issued };
}

function authorityOrder(now: number, life: number, pathLength: number): CertificateOrder {
  const usage = digitalSignature | keyCertSign | cRLSign;
  const validity = { notBefore: now - HOUR, notAfter: now + life };
  return { ...validity, authority: true, pathLength, usage, policies: [], curve: "P-384" };
}

function named(name: string): x509.JsonName {
  return [{ O: ["Coffer"] }, { CN: [name] }];
}

function newKeys(namedCurve: string): Promise<CryptoKeyPair> {
  const algorithm = { name: "ECDSA", namedCurve };
  return crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]) as Promise<CryptoKeyPair>;
}
