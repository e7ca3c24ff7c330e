import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { afterEach, beforeAll, expect, it, vi } from "vitest";
import { type AuthenticatorMaker, EmulatedAuthenticator } from "#emulator/enclave/index.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { encodeHex } from "#protocol/bytes.ts";
import { sha256 } from "#protocol/digest.ts";
import { PASSKEY_EVIDENCE } from "#protocol/passkey.ts";
import { certifiedKey } from "#protocol/pki/index.ts";
import { verifyRegistration } from "./passkey.ts";

const challenge = encodeBase64url(new Uint8Array(32).fill(7));
const page = { vault: "https://vault.example", app: "https://app.example" };
const model = "ab".repeat(16);
const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const RSA = {
  ...{ name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
  ...{ modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
};
const DAY = 24 * 3600 * 1000;
const CDP = "https://maker.example/list.crl";

type Of = {
  by?: AuthenticatorMaker;
  name?: string;
  kind?: typeof P256;
  ends?: number;
  of?: AuthenticatorMaker;
  extensions?: x509.Extension[];
};
const authority = (below?: number) => [
  new x509.BasicConstraintsExtension(true, below, true),
  new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
];

/** A maker, certified by itself or by another. */
async function certified({
  by,
  name = "maker",
  kind = P256,
  ends = DAY,
  extensions = authority(),
  of,
}: Of = {}) {
  const keys =
    of?.keys ?? ((await crypto.subtle.generateKey(kind, true, ["sign", "verify"])) as CryptoKeyPair);
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [{ O: ["Coffer"] }, { CN: [name] }],
    issuer: by ? new x509.X509Certificate(by.root).subjectName.toJSON() : [{ O: ["Coffer"] }, { CN: [name] }],
    ...{ publicKey: keys.publicKey, signingKey: (by ?? { keys }).keys.privateKey },
    signingAlgorithm: by ? { ...by.keys.privateKey.algorithm, hash: "SHA-256" } : kind,
    ...{ notBefore: new Date(now - 2 * DAY), notAfter: new Date(now + ends), extensions },
  });
  const root = certificate.toString("pem");
  return { root, keys, chain: by ? [root, ...(by.chain ?? [])] : [] };
}

let root: AuthenticatorMaker;
beforeAll(async () => {
  root = await certified({ name: "root" });
});
afterEach(() => vi.restoreAllMocks());

const spkiDigest = async (pem: string) =>
  encodeHex(await sha256(new Uint8Array(new x509.X509Certificate(pem).publicKey.rawData)));
async function register(
  maker: AuthenticatorMaker,
  { under = root, revoked = [] as string[], device = new EmulatedAuthenticator({ model, maker }) } = {},
) {
  const roots = [encodeBase64url(new Uint8Array(new x509.X509Certificate(under.root).rawData))];
  const policy = { id: "p", accept: [{ type: PASSKEY_EVIDENCE, roots, revoked }], references: [] };
  const made = await device.register(challenge, page);
  const where = { challenge, vault: page.vault, apps: [page.app] };
  return verifyRegistration(policy, { ...made, ...where }, { now: Date.now(), production: true });
}
const keyIn = async (pem: string) =>
  encodeHex(await sha256(certifiedKey(new Uint8Array(new x509.X509Certificate(pem).rawData))));
const tierOf = async (...of: Parameters<typeof register>) => (await register(...of)).passkey.tier;

it("M1 a maker's authorities vouch for as much as their certificates allow, with ECDSA or RSA", async () => {
  expect(await tierOf(root)).toBe("hardware");
  const intermediate = await certified({ by: root });
  expect(await tierOf(intermediate)).toBe("hardware");
  expect(await tierOf(await certified({ by: intermediate }))).toBe("hardware");
  // A root that comes along, as some makers' do.
  expect(await tierOf({ ...intermediate, chain: [...intermediate.chain, root.root] })).toBe("hardware");
  const rsa = await certified({ name: "root", kind: RSA });
  const { passkey } = await register(await certified({ by: rsa }), { under: rsa });
  expect(passkey.tier).toBe("hardware");
  // By the keys that are kept with it a policy is asked later, which has their certificates.
  expect(passkey.certifiedBy).toHaveLength(3);
  expect(passkey.certifiedBy?.at(-1)).toBe(await keyIn(rsa.root));
  const { passkey: other } = await register(intermediate);
  expect(other.certifiedBy?.slice(1)).toEqual([await keyIn(intermediate.root), await keyIn(root.root)]);
});

it("M1 M20 a certificate that is no authority's vouches for nothing, though it is under the root", async () => {
  // An authenticator's own certificate, as makers issue them.
  const leaf = await certified({
    by: root,
    extensions: [new x509.BasicConstraintsExtension(false, undefined, true)],
  });
  expect(await tierOf(leaf)).toBe("software");
  const [ca, sign] = authority() as [x509.Extension, x509.Extension];
  const signs = new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true);
  const critical = new x509.Extension("1.2.3.4", true, new Uint8Array([5, 0]));
  const short = await certified({ name: "root", extensions: authority(0) });
  const sound = await certified({ by: root });
  const wrong: Record<string, AuthenticatorMaker> = {
    "without constraints": await certified({ by: root, extensions: [sign] }),
    "without usages": await certified({ by: root, extensions: [ca] }),
    "for signatures": await certified({ by: root, extensions: [ca, signs] }),
    "of other things": await certified({ by: root, extensions: [ca, sign, critical] }),
    "that has ended": { ...sound, chain: (await certified({ by: root, of: sound, ends: -DAY })).chain },
    "below one that allows none": await certified({
      by: await certified({ by: root, extensions: authority(0) }),
    }),
    "by another key": { ...(await certified({ by: root })), keys: root.keys },
    "left out": { ...(await certified({ by: root })), chain: [] },
  };
  for (const [what, maker] of Object.entries(wrong)) expect(await tierOf(maker), what).toBe("software");
  expect(await tierOf(await certified({ by: short }), { under: short }), "the root allows none").toBe(
    "software",
  );
  const under = await certified({ name: "root", of: root, ends: -DAY });
  expect(await tierOf(sound, { under }), "a root that has ended").toBe("software");
  const stranger = await certified({ name: "root" });
  expect(await tierOf(await certified({ by: stranger })), "a root of the same name").toBe("software");
});

it("M1 M20 asks no address that a maker's certificate names", async () => {
  const fetch = vi.spyOn(globalThis, "fetch").mockRejectedValue(new Error("no network"));
  const named = [...authority(), new x509.CRLDistributionPointsExtension([CDP])];
  const maker = await certified({ by: root, extensions: named });
  expect(await tierOf(maker)).toBe("hardware");
  const under = await certified({ name: "root", extensions: named });
  expect(await tierOf(await certified({ by: under, extensions: named }), { under })).toBe("hardware");
  expect(fetch).not.toHaveBeenCalled();
});

it("M1 M20 is refused where a key of the maker's or the passkey is revoked", async () => {
  const maker = await certified({ by: root });
  for (const pem of [maker.root, root.root])
    await expect(register(maker, { revoked: [await spkiDigest(pem)] })).rejects.toThrow("revoked");
  expect(await tierOf(maker, { revoked: [await spkiDigest((await certified()).root)] })).toBe("hardware");
  const device = new EmulatedAuthenticator({ model, maker });
  const { passkey } = await register(maker, { device });
  const key = encodeHex(await sha256(decodeBase64url(passkey.publicKey)));
  await expect(register(maker, { device, revoked: [key] })).rejects.toThrow("revoked");
  // Though nobody vouches with it any more.
  const other = await certified({ name: "root" });
  await expect(register(maker, { under: other, revoked: [await spkiDigest(maker.root)] })).rejects.toThrow(
    "revoked",
  );
});
