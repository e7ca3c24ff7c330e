import "reflect-metadata";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import { whileLocked, writeWhole } from "#files/index.ts";
import { IDENTITIES, type Identity } from "#protocol/hierarchy/index.ts";

/** A certificate and its private key, both PEM (PKCS#8). */
export interface KeyAndCertificate {
  cert: string;
  key: string;
}

/** A development PKI: what the HSM presents, whom it trusts, and who its clients are. All PEM. */
export interface Pki {
  dir: string;
  /** What clients of the HSM trust. */
  serverCa: string;
  server: KeyAndCertificate;
  /** The same with an RSA key, for clients of TLS 1.2 that have no ECDSA. */
  rsaServer: KeyAndCertificate;
  /** What the HSM trusts to name its clients. */
  clientCa: string;
  clients: Record<Identity, KeyAndCertificate>;
}

/** Name of the lock that is held while certificates are made. */
const LOCK = "pki";
const DAY = 24 * 3600 * 1000;
const AUTHORITY = { days: 3650, renewWithin: 400 * DAY };
const LEAF = { days: 397, renewWithin: 30 * DAY };
const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const RSA = {
  name: "RSASSA-PKCS1-v1_5",
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: "SHA-256",
} as const;

/**
 * Makes the PKI in `dir` once and returns it; what is near its end is replaced, with all that depends on it.
 * Keys are P-256 (and one of the server's RSA), their files have mode 0600 and the folder 0700.
 */
export async function ensurePki(dir: string, now: () => Date = () => new Date()): Promise<Pki> {
  // Two processes that make one at a time would leave certificates of one under the authority of the other.
  return whileLocked(dir, LOCK, () => ensureAll(dir, now));
}

async function ensureAll(dir: string, now: () => Date): Promise<Pki> {
  const serverCa = await ensureAuthority(dir, "server-ca", "Coffer development HSM server CA", now());
  const clientCa = await ensureAuthority(dir, "client-ca", "Coffer development HSM client CA", now());
  const localhost: Leaf = {
    subject: "localhost",
    usage: x509.ExtendedKeyUsage.serverAuth,
    names: [
      { type: "dns", value: "localhost" },
      { type: "ip", value: "127.0.0.1" },
      { type: "ip", value: "::1" },
    ],
  };
  const server = await ensureLeaf(dir, "server", serverCa, now(), localhost);
  const rsaServer = await ensureLeaf(dir, "server-rsa", serverCa, now(), { ...localhost, rsa: true });
  const clients = {} as Pki["clients"];
  for (const name of IDENTITIES) clients[name] = await ensureClient(dir, name, now);
  return { dir, serverCa: serverCa.cert, server, rsaServer, clientCa: clientCa.cert, clients };
}

/**
 * A client certificate whose common name is `name`: the identity that the HSM knows the client by. Made once, then
 * read from `dir`. Throws `TypeError` for a name that is not 1 to 64 letters, digits, `-`, `_` or `.`.
 */
export async function issueClient(
  dir: string,
  name: string,
  now: () => Date = () => new Date(),
): Promise<KeyAndCertificate> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) throw new TypeError("not a client name");
  return whileLocked(dir, LOCK, () => ensureClient(dir, name, now));
}

async function ensureClient(dir: string, name: string, now: () => Date): Promise<KeyAndCertificate> {
  const authority = await ensureAuthority(dir, "client-ca", "Coffer development HSM client CA", now());
  return ensureLeaf(dir, `client-${name}`, authority, now(), {
    subject: name,
    usage: x509.ExtendedKeyUsage.clientAuth,
    names: [],
  });
}

async function ensureAuthority(
  dir: string,
  file: string,
  subject: string,
  now: Date,
): Promise<KeyAndCertificate> {
  const kept = await readPair(dir, file);
  if (kept && current(kept, AUTHORITY.renewWithin, now)) return kept;
  const keys = await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: distinguishedName(subject),
    keys,
    signingAlgorithm: P256,
    notBefore: new Date(now.getTime() - DAY),
    notAfter: new Date(now.getTime() + AUTHORITY.days * DAY),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return writePair(dir, file, certificate, keys.privateKey);
}

interface Leaf {
  subject: string;
  usage: x509.ExtendedKeyUsage;
  names: x509.JsonGeneralName[];
  /** An RSA key in place of P-256. */
  rsa?: boolean;
}

async function ensureLeaf(
  dir: string,
  file: string,
  authority: KeyAndCertificate,
  now: Date,
  { subject, usage, names, rsa = false }: Leaf,
): Promise<KeyAndCertificate> {
  const issuer = new x509.X509Certificate(authority.cert);
  const kept = await readPair(dir, file);
  if (kept && current(kept, LEAF.renewWithin, now) && (await signedBy(kept, issuer))) return kept;
  const keys = await crypto.subtle.generateKey(rsa ? RSA : P256, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: distinguishedName(subject),
    issuer: issuer.subjectName.toJSON(),
    notBefore: new Date(now.getTime() - DAY),
    notAfter: new Date(now.getTime() + LEAF.days * DAY),
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.key),
    signingAlgorithm: P256,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(
        // Old suites send the key encrypted to the server's RSA key (RFC 5246 §7.4.2).
        x509.KeyUsageFlags.digitalSignature | (rsa ? x509.KeyUsageFlags.keyEncipherment : 0),
        true,
      ),
      new x509.ExtendedKeyUsageExtension([usage]),
      ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return writePair(dir, file, certificate, keys.privateKey);
}

/** A name built from values, never from text, so that a common name cannot add attributes of its own. */
function distinguishedName(commonName: string): x509.JsonName {
  return [{ O: ["Coffer"] }, { CN: [commonName] }];
}

function current(pair: KeyAndCertificate, renewWithin: number, now: Date): boolean {
  const { notBefore, notAfter } = new x509.X509Certificate(pair.cert);
  return notBefore <= now && notAfter.getTime() - renewWithin > now.getTime();
}

async function signedBy(pair: KeyAndCertificate, issuer: x509.X509Certificate): Promise<boolean> {
  return new x509.X509Certificate(pair.cert).verify({ publicKey: issuer.publicKey, signatureOnly: true });
}

async function importKey(pem: string): Promise<CryptoKey> {
  const der = x509.PemConverter.decodeFirst(pem);
  return crypto.subtle.importKey("pkcs8", der, P256, false, ["sign"]);
}

async function readPair(dir: string, file: string): Promise<KeyAndCertificate | undefined> {
  try {
    const [cert, key] = await Promise.all([
      readFile(join(dir, `${file}.pem`), "utf8"),
      readFile(join(dir, `${file}.key`), "utf8"),
    ]);
    return { cert, key };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function writePair(
  dir: string,
  file: string,
  certificate: x509.X509Certificate,
  privateKey: CryptoKey,
): Promise<KeyAndCertificate> {
  const key = x509.PemConverter.encode(await crypto.subtle.exportKey("pkcs8", privateKey), "PRIVATE KEY");
  const pair = { cert: `${certificate.toString("pem")}\n`, key: `${key}\n` };
  await writeWhole(join(dir, `${file}.key`), pair.key, { replace: true });
  await writeWhole(join(dir, `${file}.pem`), pair.cert, { replace: true, mode: 0o644 });
  return pair;
}
