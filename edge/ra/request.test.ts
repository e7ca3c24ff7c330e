import { beforeAll, describe, expect, it } from "vitest";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { concat, utf8 } from "#protocol/bytes.ts";
import { VECTOR } from "#protocol/hybrid.fixture.ts";
import { type Redemption, verifyRequest } from "./request.ts";
import { x509 } from "./x509.ts";

const EC = { name: "ECDSA", namedCurve: "P-256" };
const SIGN = { name: "ECDSA", hash: "SHA-256" };
const nonce = new Uint8Array(32).fill(9);
let identity: CryptoKeyPair;
let other: CryptoKeyPair;
let wrapping: Uint8Array<ArrayBuffer>;

async function rsa(modulusLength: number, publicExponent = new Uint8Array([1, 0, 1])) {
  const algorithm = { name: "RSA-OAEP", hash: "SHA-256", modulusLength, publicExponent };
  const { publicKey } = (await crypto.subtle.generateKey(algorithm, true, [
    "encrypt",
    "decrypt",
  ])) as CryptoKeyPair;
  return new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));
}

const challenge = (of: Uint8Array) => new x509.ChallengePasswordAttribute(encodeBase64url(of));

async function csr(keys: CryptoKeyPair, attributes: x509.Attribute[], signingAlgorithm: EcdsaParams = SIGN) {
  const made = await x509.Pkcs10CertificateRequestGenerator.create({
    keys,
    name: "CN=admin,O=evil",
    signingAlgorithm,
    attributes,
  });
  return new Uint8Array(made.rawData);
}

async function present(
  over: {
    csr?: Uint8Array;
    wrapping?: Uint8Array<ArrayBuffer>;
    by?: CryptoKeyPair;
    domain?: string;
    nonce?: Uint8Array;
  } = {},
): Promise<Redemption> {
  const spki = over.wrapping ?? wrapping;
  const signed = concat(utf8(over.domain ?? "coffer-wrapping-key-v1\0"), over.nonce ?? nonce, spki);
  const proof = await crypto.subtle.sign(SIGN, (over.by ?? identity).privateKey, signed);
  return {
    method: "grant",
    credential: "x",
    identityRequest: encodeBase64url(over.csr ?? (await csr(identity, [challenge(nonce)]))),
    wrappingKey: encodeBase64url(spki),
    wrappingProof: encodeBase64url(new Uint8Array(proof)),
  };
}

beforeAll(async () => {
  identity = await crypto.subtle.generateKey(EC, true, ["sign", "verify"]);
  other = await crypto.subtle.generateKey(EC, true, ["sign", "verify"]);
  wrapping = await rsa(3072);
}, 30_000);

describe("certificate request", () => {
  it("proves both keys for this nonce", async () => {
    const { keys, evidence } = await verifyRequest(await present(), nonce);
    expect(evidence).toBeNull();
    expect(keys.identity).toEqual(new Uint8Array(await crypto.subtle.exportKey("spki", identity.publicKey)));
    expect(keys.wrapping).toEqual(wrapping);
    expect(keys.wrappingModulusLength).toBe(3072);
  });

  it("M20 refuses the request of another ceremony, none, or two nonces", async () => {
    for (const attributes of [[challenge(new Uint8Array(32))], [], [challenge(nonce), challenge(nonce)]]) {
      const request = await present({ csr: await csr(identity, attributes) });
      await expect(verifyRequest(request, nonce)).rejects.toThrow(/nonce/);
    }
  });

  it("refuses an altered request", async () => {
    const der = await csr(identity, [challenge(nonce)]);
    der[der.length - 1]! ^= 1;
    await expect(verifyRequest(await present({ csr: der }), nonce)).rejects.toThrow();
  });

  it("refuses a request of one key with another's proof", async () => {
    await expect(verifyRequest(await present({ by: other }), nonce)).rejects.toThrow(/did not sign/);
  });

  it("refuses a proof for another purpose, nonce or key", async () => {
    await expect(verifyRequest(await present({ domain: "coffer-other-v1\0" }), nonce)).rejects.toThrow(
      /did not sign/,
    );
    await expect(verifyRequest(await present({ nonce: new Uint8Array(32) }), nonce)).rejects.toThrow(
      /did not sign/,
    );
    await expect(verifyRequest(await present({ nonce: new Uint8Array() }), nonce)).rejects.toThrow(
      /did not sign/,
    );
    const request = await present();
    request.wrappingKey = encodeBase64url(await rsa(3072));
    await expect(verifyRequest(request, nonce)).rejects.toThrow(/did not sign/);
  });

  it("refuses other curves and hashes", async () => {
    const p384 = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-384" }, true, [
      "sign",
      "verify",
    ]);
    const request = await present({ csr: await csr(p384, [challenge(nonce)]) });
    await expect(verifyRequest(request, nonce)).rejects.toThrow(/P-256/);
    const sha512 = { name: "ECDSA", hash: "SHA-512" };
    const hashed = await present({ csr: await csr(identity, [challenge(nonce)], sha512) });
    await expect(verifyRequest(hashed, nonce)).rejects.toThrow(/SHA-256/);
  });

  it("refuses weak and odd wrapping keys", async () => {
    await expect(verifyRequest(await present({ wrapping: await rsa(2048) }), nonce)).rejects.toThrow(
      /2048 bits/,
    );
    const three = await present({ wrapping: await rsa(3072, new Uint8Array([3])) });
    await expect(verifyRequest(three, nonce)).rejects.toThrow(/65537/);
    const trailing = await present({ wrapping: concat(wrapping, new Uint8Array(1)) });
    await expect(verifyRequest(trailing, nonce)).rejects.toThrow();
  }, 30_000);

  describe("with the keys of a hybrid recipient", () => {
    const [agreement, kem] = [decodeBase64url(VECTOR.agreement), decodeBase64url(VECTOR.kem)];
    async function hybrid(
      over: { by?: CryptoKeyPair; domain?: string; nonce?: Uint8Array; kem?: Uint8Array } = {},
    ) {
      const domain = utf8(over.domain ?? "coffer-hybrid-keys-v1\0");
      const signed = concat(domain, over.nonce ?? nonce, agreement, over.kem ?? kem);
      const proof = await crypto.subtle.sign(SIGN, (over.by ?? identity).privateKey, signed);
      return {
        agreementKey: VECTOR.agreement,
        kemKey: encodeBase64url(over.kem ?? kem),
        proof: encodeBase64url(new Uint8Array(proof)),
      };
    }
    const verify = async (of: Redemption["hybrid"]) =>
      verifyRequest({ ...(await present()), ...(of && { hybrid: of }) }, nonce);

    it("has the identity key vouch for both", async () => {
      expect((await verify(await hybrid())).keys.hybrid).toEqual({ agreement, kem });
      expect((await verify(undefined)).keys.hybrid).toBeUndefined();
    });

    it("refuses another's word, another ceremony's, one for another purpose, and none", async () => {
      const refused = [
        hybrid({ by: other }),
        hybrid({ nonce: new Uint8Array(32) }),
        hybrid({ domain: "coffer-wrapping-key-v1\0" }),
      ];
      for (const of of refused) await expect(verify(await of)).rejects.toThrow(/did not sign for the hybrid/);
      const { wrappingProof } = await present();
      await expect(verify({ ...(await hybrid()), proof: wrappingProof })).rejects.toThrow(/did not sign/);
      const altered = encodeBase64url(agreement.with(20, 7));
      await expect(verify({ ...(await hybrid()), agreementKey: altered })).rejects.toThrow(/did not sign/);
    });

    it("refuses keys of another kind or in another form", async () => {
      await expect(verify(await hybrid({ kem: agreement }))).rejects.toThrow(/kem key is not of its kind/);
      await expect(verify(await hybrid({ kem: kem.subarray(1) }))).rejects.toThrow(/kem key/);
      await expect(verify(await hybrid({ kem: concat(kem, new Uint8Array(1)) }))).rejects.toThrow(/kem key/);
      const of = { ...(await hybrid()), agreementKey: VECTOR.kem };
      await expect(verify(of)).rejects.toThrow(/agreement key/);
    });
  });

  it("refuses what is no base64url or no DER", async () => {
    for (const identityRequest of ["", "AAAA", "=", "MA"]) {
      await expect(verifyRequest({ ...(await present()), identityRequest }, nonce)).rejects.toThrow();
    }
  });
});
