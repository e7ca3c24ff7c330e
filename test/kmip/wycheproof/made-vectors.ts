import {
  constants,
  createCipheriv,
  createDecipheriv,
  createHmac,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  pbkdf2Sync,
  publicEncrypt,
  sign,
} from "node:crypto";
import type { Group, Vector, VectorFile } from "./vectors.ts";

/**
 * Vectors in Wycheproof's form for algorithms whose files may not be at hand, made with node:crypto: of each, some that
 * are valid and some that are not.
 */

type Fields = Record<string, unknown>;
type Result = Vector["result"];

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const spki = (key: KeyObject) => hex(key.export({ format: "der", type: "spki" }));
const pkcs8 = (key: KeyObject) => hex(key.export({ format: "der", type: "pkcs8" }));
const flipped = (text: string) => hex(Buffer.from(text, "hex").map((byte, i) => (i === 0 ? byte ^ 1 : byte)));
const MESSAGES = ["", "61", "00112233445566778899aabbccddeeff", "ab".repeat(100)];
const bytes = (length: number, first = 1) =>
  Buffer.from(Array.from({ length }, (_, i) => (first + i * 7) & 255));

function file(
  algorithm: string,
  type: string,
  group: Fields,
  tests: (Fields & { result: Result })[],
): VectorFile {
  const vectors = tests.map((test, index) => ({ tcId: index + 1, comment: "made", flags: [], ...test }));
  const testGroups: Group[] = [{ type, ...group, tests: vectors as Vector[] }];
  return { algorithm, numberOfTests: vectors.length, testGroups };
}

/** Each message as it is, and with a field that is not that of the message. */
const withWrong = (field: string, tests: Fields[]): (Fields & { result: Result })[] =>
  tests.flatMap((test) => [
    { ...test, result: "valid" as const },
    { ...test, [field]: flipped(String(test[field])), result: "invalid" as const },
  ]);

function aead(algorithm: string, openssl: string, keyLength: number, ivLength: number, tagLength: number) {
  const [key, iv, aad] = [bytes(keyLength), bytes(ivLength, 9), bytes(5, 70)];
  const tests = MESSAGES.map((msg) => {
    const options = { authTagLength: tagLength };
    const cipher = createCipheriv(openssl as "aes-128-ccm", key, iv, options);
    const plain = Buffer.from(msg, "hex");
    cipher.setAAD(aad, { plaintextLength: plain.length });
    const ct = hex(Buffer.concat([cipher.update(plain), cipher.final()]));
    return { key: hex(key), iv: hex(iv), aad: hex(aad), msg, ct, tag: hex(cipher.getAuthTag()) };
  });
  return file(algorithm, "AeadTest", { tagSize: tagLength * 8 }, [
    ...withWrong("tag", tests),
    ...tests.map((test) => ({ ...test, tag: test.tag.slice(2), result: "invalid" as const })),
    ...tests.map((test) => ({ ...test, iv: "", result: "invalid" as const })),
  ]);
}

/** CCM has no tags of 2 bytes (NIST SP 800-38C §5.3). */
function shortestTag() {
  const vectors = aead("AES-CCM", "aes-128-ccm", 16, 12, 4);
  const [group] = vectors.testGroups;
  const cut = (test: Vector): Vector => ({ ...test, tag: String(test.tag).slice(0, 4), result: "invalid" });
  const testGroups = [{ ...group!, tagSize: 16, tests: group!.tests.map(cut) }];
  return { ...vectors, testGroups };
}

function gmac() {
  const [key, iv] = [bytes(16), bytes(12)];
  const tests = MESSAGES.map((msg) => {
    const cipher = createCipheriv("aes-128-gcm", key, iv).setAAD(Buffer.from(msg, "hex"));
    cipher.final();
    return { key: hex(key), iv: hex(iv), msg, tag: hex(cipher.getAuthTag()) };
  });
  return file("AES-GMAC", "MacWithIvTest", { tagSize: 128 }, withWrong("tag", tests));
}

function plainCipher(algorithm: string, openssl: string, keyLength: number) {
  const [key, iv] = [bytes(keyLength), bytes(16, 3)];
  const padded = openssl.endsWith("cbc");
  const tests = MESSAGES.filter((msg) => padded || msg.length >= 32).map((msg) => {
    const cipher = createCipheriv(openssl, key, iv);
    const ct = hex(Buffer.concat([cipher.update(Buffer.from(msg, "hex")), cipher.final()]));
    return { key: hex(key), iv: hex(iv), msg, ct, result: "valid" as const };
  });
  // A block whose plaintext ends in no padding.
  const raw = createDecipheriv(openssl, key, iv).setAutoPadding(false).update(Buffer.alloc(16, 5));
  const noPadding = {
    key: hex(key),
    iv: hex(iv),
    msg: hex(raw),
    ct: "05".repeat(16),
    result: "invalid" as const,
  };
  const cut = {
    ...tests.at(-1)!,
    ct: tests.at(-1)!.ct.slice(0, padded ? -2 : 20),
    result: "invalid" as const,
  };
  return file(algorithm, "IndCpaTest", {}, [...tests, cut, ...(padded ? [noPadding] : [])]);
}

/** As Wycheproof's: tweaks of 1 to 16 bytes, the number of a data unit, and keys of AES-192 beside the others. */
export function xtsTweaks(): VectorFile {
  const groups = [32, 64].map((keyLength) => {
    const key = bytes(keyLength);
    const tests = Array.from({ length: 16 }, (_, i) => {
      const tweak = bytes(i + 1, 40);
      const iv = Buffer.concat([tweak, Buffer.alloc(15 - i)]);
      const msg = bytes(16 + i);
      const cipher = createCipheriv(keyLength === 32 ? "aes-128-xts" : "aes-256-xts", key, iv);
      const ct = hex(Buffer.concat([cipher.update(msg), cipher.final()]));
      return { key: hex(key), iv: hex(tweak), msg: hex(msg), ct };
    });
    return { keySize: keyLength * 8, tests };
  });
  const none = { key: hex(bytes(48)), iv: "01", msg: "00".repeat(16), ct: "00".repeat(16) };
  const all = [...groups, { keySize: 384, tests: [none, none] }];
  const testGroups = all.map(
    ({ keySize, tests }) => file("AES-XTS", "IndCpaTest", { keySize }, withResult(tests)).testGroups[0]!,
  );
  return { algorithm: "AES-XTS", numberOfTests: 34, testGroups };
}

const withResult = (tests: Fields[]) => tests.map((test) => ({ ...test, result: "valid" as const }));

function chacha20() {
  const [key, iv] = [bytes(32), bytes(12)];
  const test = (counter: string, length: number, result: Result) => {
    const cipher = createCipheriv("chacha20", key, Buffer.concat([Buffer.from(counter, "hex"), iv]));
    const msg = bytes(length);
    const ct = hex(cipher.update(msg));
    return { key: hex(key), iv: hex(iv), initialCounter: counter, msg: hex(msg), ct, result };
  };
  const group = { algorithm: "ChaCha20", ivSize: 96, counterSize: 32 };
  return file("CHACHA20", "StreamCipherTest", group, [
    test("00000000", 100, "valid"),
    test("feffffff", 128, "valid"),
    test("feffffff", 129, "invalid"),
    test("ffffffff", 65, "invalid"),
  ]);
}

function hmac(name: string, openssl: string, tagLength?: number) {
  const tests = MESSAGES.map((msg) => {
    const tag = createHmac(openssl, bytes(20)).update(msg, "hex").digest();
    return { key: hex(bytes(20)), msg, tag: hex(tag.subarray(0, tagLength)) };
  });
  return file(`HMAC${name}`, "MacTest", { tagSize: tests[0]!.tag.length * 4 }, [
    ...withWrong("tag", tests),
    ...tests.map((test) => ({ ...test, tag: test.tag.slice(0, 24), result: "invalid" as const })),
    ...tests.map((test) => ({ ...test, tag: "", result: "invalid" as const })),
  ]);
}

function signatures(
  algorithm: string,
  type: string,
  pair: { publicKey: KeyObject; privateKey: KeyObject },
  group: Fields,
  made: (message: Buffer) => Buffer,
) {
  const tests = MESSAGES.map((msg) => ({ msg, sig: hex(made(Buffer.from(msg, "hex"))) }));
  return file(algorithm, type, { publicKeyDer: spki(pair.publicKey), ...group }, [
    ...withWrong("sig", tests),
    ...tests.map((test) => ({ ...test, sig: `${test.sig}00`, result: "invalid" as const })),
    ...tests.map((test) => ({ ...test, msg: `${test.msg}00`, result: "invalid" as const })),
  ]);
}

function ecdsa(curve: string, openssl: string, sha: string, hash: string) {
  const pair = generateKeyPairSync("ec", { namedCurve: openssl });
  const { bits } = { bits: pair.publicKey.export({ format: "der", type: "spki" }) };
  const uncompressed = hex(bits.subarray(bits.lastIndexOf(Buffer.of(0, 4)) + 1));
  const group = { publicKey: { curve, uncompressed }, sha };
  return signatures("ECDSA", "EcdsaVerify", pair, group, (message) => sign(hash, message, pair.privateKey));
}

function eddsa(type: "ed25519" | "ed448", curve: string, length: number) {
  const pair = generateKeyPairSync(type as "ed25519");
  const pk = spki(pair.publicKey).slice(-2 * length);
  return signatures("EDDSA", "EddsaVerify", pair, { publicKey: { curve, pk } }, (message) =>
    sign(null, message, pair.privateKey),
  );
}

function rsa(type: string, options: Fields, group: Fields) {
  const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const { n, e } = pair.publicKey.export({ format: "jwk" });
  const number = (text: string) => hex(Buffer.from(text, "base64url"));
  const publicKey = { modulus: number(n!), publicExponent: number(e!) };
  const made = (message: Buffer) => sign("sha256", message, { key: pair.privateKey, ...options });
  return signatures(
    "RSA",
    type,
    pair,
    { publicKey, privateKeyPkcs8: pkcs8(pair.privateKey), ...group },
    made,
  );
}

function rsaDecryption() {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const padding = constants.RSA_PKCS1_PADDING;
  const tests = MESSAGES.map((msg) => ({
    msg,
    ct: hex(publicEncrypt({ key: publicKey, padding }, Buffer.from(msg, "hex"))),
  }));
  const others = tests.map(({ msg, ct }) => ({ msg, ct: ct.slice(2), result: "invalid" as const }));
  const group = { privateKeyPkcs8: pkcs8(privateKey) };
  return file("RSAES-PKCS1-v1_5", "RsaesPkcs1Decrypt", group, [
    ...withWrong("ct", tests).filter(({ msg }) => msg !== ""),
    ...others,
  ]);
}

const pem = (label: string, der: string) =>
  `-----BEGIN ${label}-----\n${Buffer.from(der, "hex").toString("base64")}\n-----END ${label}-----\n`;

function ecdh(curve: string, openssl: string, type: string) {
  const ours = generateKeyPairSync("ec", { namedCurve: openssl });
  const theirs = generateKeyPairSync("ec", { namedCurve: openssl });
  const foreign = generateKeyPairSync("ec", { namedCurve: "secp384r1" });
  const shared = hex(diffieHellman({ privateKey: ours.privateKey, publicKey: theirs.publicKey }));
  const d = Buffer.from(ours.privateKey.export({ format: "jwk" }).d!, "base64url").toString("hex");
  const pointOf = (key: KeyObject) => {
    const { x, y } = key.export({ format: "jwk" });
    return `04${hex(Buffer.from(x!, "base64url"))}${hex(Buffer.from(y!, "base64url"))}`;
  };
  const off = pointOf(theirs.publicKey).replace(/.$/, (digit) => (digit === "0" ? "1" : "0"));
  const forms: Record<string, (key: KeyObject) => string> = {
    EcdhTest: spki,
    EcdhEcpointTest: pointOf,
    EcdhPemTest: (key) => pem("PUBLIC KEY", spki(key)),
  };
  const form = forms[type]!;
  const privateForm = type === "EcdhPemTest" ? pem("PRIVATE KEY", pkcs8(ours.privateKey)) : d;
  const common = { private: privateForm, shared };
  return file("ECDH", type, { curve }, [
    { ...common, public: form(theirs.publicKey), result: "valid" },
    { ...common, public: form(foreign.publicKey), result: "invalid" },
    { ...common, public: type === "EcdhEcpointTest" ? off : form(foreign.publicKey), result: "invalid" },
  ]);
}

function xdh(curve: string, openssl: "x25519" | "x448", length: number, type: string) {
  const ours = generateKeyPairSync(openssl as "x25519");
  const theirs = generateKeyPairSync(openssl as "x25519");
  const shared = hex(diffieHellman({ privateKey: ours.privateKey, publicKey: theirs.publicKey }));
  const zero = spki(theirs.publicKey).slice(0, -2 * length) + "00".repeat(length);
  const forms: Record<string, [(der: string) => string, (der: string) => string]> = {
    XdhComp: [(der) => der.slice(-2 * length), (der) => der.slice(-2 * length)],
    XdhAsnComp: [(der) => der, (der) => der],
    XdhPemComp: [(der) => pem("PRIVATE KEY", der), (der) => pem("PUBLIC KEY", der)],
  };
  const [privateForm, publicForm] = forms[type]!;
  const common = { private: privateForm(pkcs8(ours.privateKey)), shared };
  return file("XDH", type, { curve }, [
    { ...common, public: publicForm(spki(theirs.publicKey)), result: "valid" },
    { ...common, public: publicForm(zero), shared: "00".repeat(length), result: "acceptable" },
  ]);
}

function pbkdf2(name: string, openssl: string) {
  const tests = [1, 3].map((iterationCount) => {
    const dk = hex(pbkdf2Sync("password", "salt", iterationCount, 33, openssl));
    const common = { password: hex(Buffer.from("password")), salt: hex(Buffer.from("salt")), iterationCount };
    return { ...common, dkLen: 33, dk, result: "valid" as const };
  });
  return file(`PBKDF2-HMAC${name}`, "PbkdfTest", {}, tests);
}

export function madeVectors(): Record<string, VectorFile> {
  const dsaPair = generateKeyPairSync("dsa", { modulusLength: 2048, divisorLength: 256 });
  const pss = constants.RSA_PKCS1_PSS_PADDING;
  return {
    aes_ccm: aead("AES-CCM", "aes-256-ccm", 32, 12, 16),
    aes_ccm_short_tag: aead("AES-CCM", "aes-128-ccm", 16, 13, 4),
    aes_ccm_no_tag: shortestTag(),
    aes_gcm_192: aead("AES-GCM", "aes-192-gcm", 24, 60, 16),
    aria_gcm: aead("ARIA-GCM", "aria-256-gcm", 32, 12, 16),
    aria_ccm: aead("ARIA-CCM", "aria-128-ccm", 16, 7, 8),
    chacha20_poly1305: aead("CHACHA20-POLY1305", "chacha20-poly1305", 32, 12, 16),
    chacha20_counter: chacha20(),
    aes_gmac: gmac(),
    aes_xts: plainCipher("AES-XTS", "aes-256-xts", 64),
    camellia_cbc: plainCipher("CAMELLIA-CBC-PKCS5", "camellia-192-cbc", 24),
    aria_cbc: plainCipher("ARIA-CBC-PKCS5", "aria-128-cbc", 16),
    hmac_sha1: hmac("SHA1", "sha1"),
    hmac_sha512_truncated: hmac("SHA512", "sha512", 32),
    hmac_sha3: hmac("SHA3-384", "sha3-384"),
    ecdsa_secp224r1: ecdsa("secp224r1", "secp224r1", "SHA-224", "sha224"),
    ecdsa_secp521r1: ecdsa("secp521r1", "secp521r1", "SHA-512", "sha512"),
    ecdsa_secp256k1: ecdsa("secp256k1", "secp256k1", "SHA3-256", "sha3-256"),
    ecdsa_brainpool: ecdsa("brainpoolP512r1", "brainpoolP512r1", "SHA-512", "sha512"),
    ed448: eddsa("ed448", "edwards448", 57),
    ed25519: eddsa("ed25519", "edwards25519", 32),
    dsa_der: signatures(
      "DSA",
      "DsaVerify",
      dsaPair,
      { publicKey: dsaNumbers(dsaPair.publicKey), sha: "SHA-256" },
      (m) => sign("sha256", m, dsaPair.privateKey),
    ),
    rsa_pkcs1: rsa("RsassaPkcs1Verify", {}, { sha: "SHA-256" }),
    rsa_pss: rsa(
      "RsassaPssVerify",
      { padding: pss, saltLength: 20 },
      { sha: "SHA-256", mgf: "MGF1", mgfSha: "SHA-256", sLen: 20 },
    ),
    rsa_pkcs1_decrypt: rsaDecryption(),
    ecdh: ecdh("secp256r1", "prime256v1", "EcdhTest"),
    ecdh_point: ecdh("secp521r1", "secp521r1", "EcdhEcpointTest"),
    ecdh_pem: ecdh("secp256k1", "secp256k1", "EcdhPemTest"),
    x25519: xdh("curve25519", "x25519", 32, "XdhComp"),
    x25519_asn: xdh("curve25519", "x25519", 32, "XdhAsnComp"),
    x448: xdh("curve448", "x448", 56, "XdhComp"),
    x448_pem: xdh("curve448", "x448", 56, "XdhPemComp"),
    pbkdf2_sha1: pbkdf2("SHA1", "sha1"),
    pbkdf2_sha512: pbkdf2("SHA512", "sha512"),
  };
}

/** p, q, g and y, the four integers of a SubjectPublicKeyInfo of DSA. */
function dsaNumbers(key: KeyObject): Fields {
  const der = key.export({ format: "der", type: "spki" });
  const numbers: string[] = [];
  let at = 0;
  while (at < der.length) {
    const [tag, first] = [der[at]!, der[at + 1]!];
    const more = first > 0x80 ? first - 0x80 : 0;
    const length = more > 0 ? der.readUIntBE(at + 2, more) : first;
    at += 2 + more;
    if (tag === 2) numbers.push(hex(der.subarray(at, at + length)));
    if (tag === 2 || tag === 6) at += length;
    if (tag === 3) at++;
  }
  const [p, q, g, y] = numbers;
  return { p, q, g, y };
}
