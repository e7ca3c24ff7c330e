import { beforeAll, describe, expect, it } from "vitest";
import { jwkFromSpki, thumbprint } from "#protocol/keys/index.ts";
import type { Hsm } from "../hsm/index.ts";
import { certifyCustodian } from "../iam/certificate.ts";
import { verifyCustodianCertificate } from "./custodian-certificate.ts";
import { x509 } from "./x509.ts";

const EC = { name: "ECDSA", namedCurve: "P-256" };
const SIGN = { name: "ECDSA", hash: "SHA-256" };
const NOW = 1_800_000_000;
const DN = "CN=0b0e-1,OU=https://app.example:8443,O=acme";
const CA_NAME = "CN=Coffer custodians CA,O=Coffer";

type Authority = { der: Uint8Array<ArrayBuffer>; keys: CryptoKeyPair };
let authority: Authority;
let foreign: Authority;
let spki: Uint8Array<ArrayBuffer>;
let jkt: string;

const newKeys = () => crypto.subtle.generateKey(EC, true, ["sign", "verify"]) as Promise<CryptoKeyPair>;
const spkiOf = async ({ publicKey }: CryptoKeyPair) =>
  new Uint8Array((await crypto.subtle.exportKey("spki", publicKey)) as ArrayBuffer);

async function newAuthority(name = CA_NAME, notAfter = NOW + 1e6): Promise<Authority> {
  const keys = await newKeys();
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    name,
    keys,
    signingAlgorithm: SIGN,
    notBefore: new Date((NOW - 1e6) * 1000),
    notAfter: new Date(notAfter * 1000),
    extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
  });
  return { der: new Uint8Array(made.rawData), keys };
}

/** As the IAM does it, with this authority behind the HSM. */
function certify({ der, keys }: Authority, over: { dn?: string; now?: number; notAfter?: number } = {}) {
  const hsm = {
    certificate: async () => der,
    sign: async (_: string, data: Uint8Array<ArrayBuffer>) =>
      new Uint8Array(await crypto.subtle.sign(SIGN, keys.privateKey, data)),
  } as unknown as Hsm;
  const key = jwkFromSpki(spki);
  return certifyCustodian(hsm, {
    ...{ dn: DN, key, origin: "https://app.example:8443", now: NOW, notAfter: NOW + 3600 },
    ...over,
  });
}

/** A certificate by the authority with these extensions. */
async function other(extensions: x509.Extension[]): Promise<Uint8Array<ArrayBuffer>> {
  const made = await x509.X509CertificateGenerator.create({
    ...{ subject: DN, issuer: CA_NAME, publicKey: spki, signingKey: authority.keys.privateKey },
    signingAlgorithm: SIGN,
    notBefore: new Date((NOW - 60) * 1000),
    notAfter: new Date((NOW + 60) * 1000),
    extensions,
  });
  return new Uint8Array(made.rawData);
}

const verify = (
  certificate: Uint8Array<ArrayBuffer>,
  over: { dn?: string; jkt?: string; now?: number } = {},
) => verifyCustodianCertificate({ certificate, dn: DN, jkt, ...over }, authority.der, over.now ?? NOW);

beforeAll(async () => {
  [authority, foreign] = await Promise.all([newAuthority(), newAuthority()]);
  spki = await spkiOf(await newKeys());
  jkt = await thumbprint(jwkFromSpki(spki));
});

describe("M5 a custodian's certificate", () => {
  it("holds as the IAM issues it", async () => {
    await verify(await certify(authority));
  });

  it("does not with a single bit altered anywhere", async () => {
    const good = await certify(authority);
    for (let at = 0; at < good.length; at += 7) {
      const altered = good.slice();
      altered[at]! ^= 1;
      await expect(verify(altered), `byte ${at}`).rejects.toThrow();
    }
  });

  it("does not from another authority, though it has the same name", async () => {
    await expect(verify(await certify(foreign))).rejects.toThrow("not signed by the authority");
    const named = await newAuthority("CN=Coffer instances CA,O=Coffer");
    await expect(verify(await certify(named))).rejects.toThrow("another authority");
  });

  it("does not for another key or name", async () => {
    const good = await certify(authority);
    const otherKey = await thumbprint(jwkFromSpki(await spkiOf(await newKeys())));
    await expect(verify(good, { jkt: otherKey })).rejects.toThrow("another key");
    await expect(verify(good, { dn: DN.replace("0b0e-1", "0b0e-2") })).rejects.toThrow("another name");
    await expect(verify(good, { dn: `${DN},C=US` })).rejects.toThrow("another name");
  });

  it("does not before or after its time, nor after its authority's", async () => {
    const good = await certify(authority);
    await expect(verify(good, { now: NOW + 3600 })).rejects.toThrow("not valid now");
    await expect(verify(good, { now: NOW - 301 })).rejects.toThrow("not valid now");
    const ended = await newAuthority(CA_NAME, NOW);
    const certificate = await certify(ended);
    const check = verifyCustodianCertificate({ certificate, dn: DN, jkt }, ended.der, NOW);
    await expect(check).rejects.toThrow("authority is not valid now");
  });

  it("does not with an end that does not exist", async () => {
    const good = await certify(authority, { notAfter: Date.parse("2027-02-28T00:00:00Z") / 1000 });
    await verify(good);
    for (const text of ["270230000000Z", "271301000000Z"]) {
      const altered = Buffer.from(good);
      altered.write(text, altered.indexOf("270228000000Z"), "latin1");
      await expect(verify(new Uint8Array(altered))).rejects.toThrow("no such moment");
    }
  });

  it("does not for another use, nor as an authority's", async () => {
    const flags = x509.KeyUsageFlags;
    const leaf = new x509.BasicConstraintsExtension(false, undefined, true);
    const sign = new x509.KeyUsagesExtension(flags.digitalSignature, true);
    await verify(await other([leaf, sign]));
    const more = new x509.KeyUsagesExtension(flags.digitalSignature | flags.keyCertSign, true);
    for (const extensions of [
      [leaf],
      [leaf, more],
      [leaf, new x509.KeyUsagesExtension(flags.keyEncipherment, true)],
      [new x509.BasicConstraintsExtension(true, undefined, true), sign],
    ]) {
      await expect(verify(await other(extensions))).rejects.toThrow("certificate is");
    }
  });
});
