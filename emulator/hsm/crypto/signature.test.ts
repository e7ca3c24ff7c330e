import {
  constants,
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { describe, expect, it } from "vitest";
import { type CryptographicParameters, KmipError } from "#protocol/kmip/index.ts";
import {
  startDigestSignature,
  startDigestVerification,
  startSignature,
  startVerification,
} from "./signature.ts";

const message = new Uint8Array(Buffer.from("message"));
const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));

function signed(key: KeyObject, parameters: CryptographicParameters, data = message): Uint8Array {
  const signature = startSignature(key, parameters);
  signature.update(data);
  return signature.final();
}

function verified(key: KeyObject, parameters: CryptographicParameters, signature: Uint8Array): boolean {
  const verification = startVerification(key, parameters);
  for (const byte of message) verification.update(new Uint8Array([byte]));
  return verification.final()(signature);
}

const refused = (work: () => unknown) => expect(work).toThrow(KmipError);

describe("RSASSA-PSS", () => {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 1025 });
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const PSS = { paddingMethod: "PSS", hashingAlgorithm: "SHA_256" } as const;

  it.each([0, 20, 32, 64])("OpenSSL agrees on a digest, salt of %i bytes", (saltLength) => {
    for (const pair of [rsa, { publicKey, privateKey }]) {
      const parameters = { ...PSS, saltLength };
      const digest = new Uint8Array(createHash("sha256").update(message).digest());
      const own = startDigestSignature(pair.privateKey, parameters);
      own.update(digest);
      const signature = own.final();
      expect(verified(pair.publicKey, parameters, signature)).toBe(true);
      const other = startDigestVerification(pair.publicKey, parameters);
      other.update(digest);
      const verification = other.final();
      expect(verification(signed(pair.privateKey, parameters))).toBe(true);
      for (const at of [0, 1, signature.length - 1])
        expect(verification(signature.map((byte, i) => (i === at ? byte ^ 1 : byte)))).toBe(false);
      expect(verification(signature.subarray(1))).toBe(false);
      const longer = startDigestVerification(pair.publicKey, { ...parameters, saltLength: saltLength + 1 });
      longer.update(digest);
      expect(longer.final()(signature)).toBe(false);
    }
  });

  it("takes a hash of its own for the mask, as OpenSSL does with a key for it", () => {
    const pair = generateKeyPairSync("rsa-pss", {
      modulusLength: 2048,
      hashAlgorithm: "sha256",
      mgf1HashAlgorithm: "sha1",
      saltLength: 20 as unknown as string,
    });
    const parameters = { ...PSS, maskGeneratorHashingAlgorithm: "SHA_1", saltLength: 20 } as const;
    const spki = pair.publicKey.export({ format: "der", type: "spki" });
    // The same key without its restrictions: rsaEncryption for id-RSASSA-PSS.
    const bare = spki.subarray(spki.indexOf(Buffer.from("0382010f", "hex")));
    const plain = createPublicKey({
      key: Buffer.concat([Buffer.from("30820122300d06092a864886f70d0101010500", "hex"), bare]),
      format: "der",
      type: "spki",
    });
    const signature = signed(pair.privateKey, {});
    expect(verified(pair.publicKey, {}, signature)).toBe(true);
    expect(verified(plain, parameters, signature)).toBe(true);
    expect(verified(plain, { ...PSS, saltLength: 20 }, signature)).toBe(false);
    const own = signed(rsa.privateKey, parameters);
    expect(verified(rsa.publicKey, parameters, own)).toBe(true);
    refused(() => verified(pair.publicKey, { ...PSS, maskGeneratorHashingAlgorithm: "SHA_512" }, signature));
  });

  it("holds a signature to the length of the salt that is said", () => {
    const options = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 20 };
    const signature = sign("sha256", message, { key: rsa.privateKey, ...options });
    expect(verified(rsa.publicKey, { ...PSS, saltLength: 20 }, signature)).toBe(true);
    expect(verified(rsa.publicKey, { ...PSS, saltLength: 32 }, signature)).toBe(false);
    for (const saltLength of [-1, -2, -3])
      refused(() => verified(rsa.publicKey, { ...PSS, saltLength }, signature));
  });

  it.each([0, 1, 20, 222])("takes a salt of any length where none is said: %i bytes", (saltLength) => {
    const options = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
    const signature = sign("sha256", message, { key: rsa.privateKey, ...options });
    const digest = startDigestVerification(rsa.publicKey, PSS);
    digest.update(new Uint8Array(createHash("sha256").update(message).digest()));
    const verification = digest.final();
    for (const isValid of [verification, (bytes: Uint8Array) => verified(rsa.publicKey, PSS, bytes)]) {
      expect(isValid(signature)).toBe(true);
      expect(isValid(signature.map((byte, i) => (i === 9 ? byte ^ 1 : byte)))).toBe(false);
    }
    const masked = { ...PSS, maskGeneratorHashingAlgorithm: "SHA_1" } as const;
    expect(verified(rsa.publicKey, masked, signed(rsa.privateKey, { ...masked, saltLength }))).toBe(true);
    expect(verified(rsa.publicKey, masked, signature)).toBe(false);
  });

  it("salts with as many bytes as the digest has where no length is said", () => {
    const signature = signed(rsa.privateKey, PSS);
    expect(verified(rsa.publicKey, { ...PSS, saltLength: 32 }, signature)).toBe(true);
  });
});

describe("ECDSA", () => {
  it.each(["prime256v1", "secp224r1", "secp521r1", "secp256k1", "brainpoolP320r1"])("on %s", (namedCurve) => {
    const pair = generateKeyPairSync("ec", { namedCurve });
    for (const hashingAlgorithm of ["SHA_1", "SHA_256", "SHA_512", "SHA3_384"] as const) {
      const signature = signed(pair.privateKey, { hashingAlgorithm });
      expect(verified(pair.publicKey, { hashingAlgorithm }, signature)).toBe(true);
    }
  });

  it("takes one encoding of a signature only", () => {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const raw = sign("sha256", message, { key: privateKey, dsaEncoding: "ieee-p1363" });
    const number = (bytes: Uint8Array) => {
      let at = 0;
      while (at < bytes.length - 1 && bytes[at] === 0) at++;
      const trimmed = bytes.subarray(at);
      return trimmed[0]! < 0x80 ? Buffer.from(trimmed) : Buffer.concat([Buffer.of(0), trimmed]);
    };
    const tagged = (tag: number, body: Uint8Array) => Buffer.concat([Buffer.of(tag, body.length), body]);
    const der = (r: Uint8Array, s: Uint8Array) => tagged(0x30, Buffer.concat([tagged(2, r), tagged(2, s)]));
    const [r, s] = [number(raw.subarray(0, 32)), number(raw.subarray(32))];
    const isValid = (signature: Uint8Array) => verified(publicKey, {}, new Uint8Array(signature));
    expect(isValid(der(r, s))).toBe(true);
    const padded = (bytes: Uint8Array) => Buffer.concat([Buffer.of(0), bytes]);
    const order = hex("00ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    const sequence = der(r, s);
    for (const wrong of [
      raw,
      der(padded(r), s),
      der(r, padded(s)),
      der(Buffer.of(0), s),
      der(r, Buffer.of(0)),
      der(r, order),
      der(order, s),
      Buffer.concat([sequence, Buffer.of(0)]),
      Buffer.concat([Buffer.of(0x30, 0x81), sequence.subarray(1)]),
      Buffer.concat([Buffer.of(0x30, 0x80), sequence.subarray(2), Buffer.of(0, 0)]),
      sequence.subarray(0, -1),
      new Uint8Array(),
    ])
      expect(isValid(wrong)).toBe(false);
  });

  it("refuses a curve that has no name", () => {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1", paramEncoding: "explicit" });
    const der = publicKey.export({ format: "der", type: "spki" });
    // Another generator: 2G instead of G, so that the parameters are of no curve that is known.
    const generator = Buffer.from("046b17d1f2", "hex");
    expect(der.includes(generator)).toBe(true);
    const point = der.subarray(-65);
    const changed = Buffer.concat([
      der.subarray(0, der.indexOf(generator)),
      point,
      der.subarray(der.indexOf(generator) + 65),
    ]);
    const key = createPublicKey({ key: changed, format: "der", type: "spki" });
    refused(() => verified(key, {}, new Uint8Array(70)));
  });
});

describe("EdDSA", () => {
  it.each(["ed25519", "ed448"] as const)("%s takes the least S only", (type) => {
    const { publicKey, privateKey } = generateKeyPairSync(type as "ed25519");
    const signature = signed(privateKey, {});
    expect(verified(publicKey, {}, signature)).toBe(true);
    const half = signature.length / 2;
    const order =
      type === "ed25519"
        ? 2n ** 252n + 27742317777372353535851937790883648493n
        : 2n ** 446n - 13818066809895115352007386748515426880336692474882178609894547503885n;
    const little = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
    const moved = little(signature.subarray(half)) + order;
    const s = Buffer.from(moved.toString(16).padStart(half * 2, "0"), "hex").reverse();
    expect(s.length).toBe(half);
    expect(verified(publicKey, {}, Buffer.concat([signature.subarray(0, half), s]))).toBe(false);
    for (const wrong of [signature.subarray(1), Buffer.concat([signature, Buffer.of(0)]), new Uint8Array()])
      expect(verified(publicKey, {}, wrong)).toBe(false);
  });
});

it("DSA, in DER", () => {
  const { publicKey, privateKey } = generateKeyPairSync("dsa", { modulusLength: 1024, divisorLength: 160 });
  const parameters = { digitalSignatureAlgorithm: "DSAWithSHA256" } as const;
  const signature = signed(privateKey, parameters);
  expect(verify("sha256", message, publicKey, signature)).toBe(true);
  expect(verified(publicKey, parameters, signature)).toBe(true);
  expect(verified(publicKey, { hashingAlgorithm: "SHA_1" }, signature)).toBe(false);
  expect(verified(publicKey, parameters, Buffer.concat([signature, Buffer.of(0)]))).toBe(false);
  refused(() => signed(privateKey, { digitalSignatureAlgorithm: "ECDSAWithSHA256" }));
});

it("a parameter's name is looked up as a name only", () => {
  const { privateKey } = generateKeyPairSync("ed25519");
  refused(() => signed(privateKey, { hashingAlgorithm: "constructor" as "SHA_256" }));
});
