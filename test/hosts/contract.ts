/** The service contract's operations, as a test of whoever answers them (promise 4): the same cases for each host. */

import { constants, createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { expect, it } from "vitest";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { operations, problemsOfService, type ServiceRoute, service } from "#protocol/contract/index.ts";
import type { KeyAlgorithm, SignatureAlgorithm } from "#protocol/keys/index.ts";
import { WEB_SIGNATURES } from "#protocol/signatures.ts";
import { type Answer, json, problem } from "../support/http.ts";

export type Sent = { body?: unknown; bytes?: Uint8Array };

/** Whoever answers the contract. */
export type ContractHost = {
  /** One request, whatever is answered; `path` as the contract has it. */
  send(method: string, path: string, sent?: Sent): Promise<Answer>;
  /** The EDK of a new data key that works there. */
  key(algorithm: KeyAlgorithm): Promise<string>;
  /** Has this key work there too. */
  take(edk: string): Promise<void>;
  /** The context of what is sealed there. */
  context(): Record<string, string>;
};

export type Operated = {
  message: string;
  data: string;
  mac: string;
  valid: boolean;
  digest: string;
  bytes: string;
  signature: string;
  publicKey: string;
  algorithm: string;
};

export const SIGNATURES = Object.keys(WEB_SIGNATURES) as SignatureAlgorithm[];

/** By OpenSSL: ECDSA as r || s, RSA-PSS with a salt of 32 bytes. */
export function isSigned(
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (algorithm === "Ed25519" || algorithm === "ML-DSA-65") return verify(null, data, key, signature);
  const hash = algorithm === "ES384" ? "sha384" : "sha256";
  const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
  const form = algorithm === "PS256" ? padding : ({ dsaEncoding: "ieee-p1363" } as const);
  return verify(hash, data, { key, ...form }, signature);
}

const data = encodeBase64url(utf8("a letter"));

export async function operated<T = Operated>(
  host: ContractHost,
  operation: keyof typeof operations,
  body: unknown,
): Promise<T> {
  const { method, path }: ServiceRoute = operations[operation];
  const answer = await host.send(method, path, { body });
  if (answer.status !== 200) throw new Error(`${operation}: ${problem(answer)}`);
  return json<T>(answer);
}

/** Registers the cases for a host; `host` is there when they run. */
export function contractCases(host: () => ContractHost): void {
  const post = (operation: keyof typeof operations, sent: Sent) =>
    host().send("POST", operations[operation].path, sent);

  it("M16 encrypts and decrypts, whatever the length, in that context alone", async () => {
    const [key, context] = [await host().key("AES-256-GCM-HKDF-SHA512-COMMIT-KEY"), host().context()];
    for (const length of [0, 1, 300_000]) {
      const plain = encodeBase64url(new Uint8Array(length).map((_, index) => index % 251));
      const { message } = await operated(host(), "encrypt", { key, context, data: plain });
      const opened = await operated(host(), "decrypt", { context, message });
      expect(opened.data === plain).toBe(true);
    }
    const { message } = await operated(host(), "encrypt", { key, context, data });
    const other = { body: { context: { ...context, account: "b" }, message } };
    expect(problem(await post("decrypt", other))).toBe("422 decrypt-failed");
    const more = { body: { context: { ...context, more: "x" }, message } };
    expect(problem(await post("decrypt", more))).toBe("422 decrypt-failed");
  });

  it("M16 opens no message that was altered anywhere, with one error for all of it", async () => {
    const [key, context] = [await host().key("AES-256-GCM-HKDF-SHA512-COMMIT-KEY"), host().context()];
    const { message } = await operated(host(), "encrypt", { key, context, data });
    const bytes = decodeBase64url(message);
    const { length } = bytes;
    // Version, suite, message id, commitment and tag of the header, the frame's nonce, ciphertext and tag.
    const frame = length - (4 + 4 + 12 + 4 + 8 + 16);
    const places = [0, 2, 5, frame - 40, frame - 20, frame - 5, frame + 12, length - 20, length - 1];
    for (const at of places) {
      const altered = bytes.slice();
      altered[at]! ^= 1;
      const answer = await post("decrypt", { body: { context, message: encodeBase64url(altered) } });
      expect(`${at} ${problem(answer)}`).toBe(`${at} 422 decrypt-failed`);
    }
    const cut = encodeBase64url(bytes.slice(0, -1));
    expect(problem(await post("decrypt", { body: { context, message: cut } }))).toBe("422 decrypt-failed");
    const longer = encodeBase64url(new Uint8Array([...bytes, 0]));
    expect(problem(await post("decrypt", { body: { context, message: longer } }))).toBe("422 decrypt-failed");
  });

  it("M16 makes MACs and verifies them", async () => {
    const key = await host().key("HMAC-SHA256-HKDF-SHA512");
    const { mac } = await operated(host(), "mac", { key, data });
    expect(await operated(host(), "mac", { key, data })).toEqual({ mac });
    expect(await operated(host(), "macVerify", { key, data, mac })).toEqual({ valid: true });
    const other = encodeBase64url(decodeBase64url(mac).map((byte) => byte ^ 1));
    expect(await operated(host(), "macVerify", { key, data, mac: other })).toEqual({ valid: false });
    const another = await host().key("HMAC-SHA256-HKDF-SHA512");
    expect((await operated(host(), "mac", { key: another, data })).mac).not.toBe(mac);
  });

  it.each(SIGNATURES)(
    "M17 signs by %s what node:crypto verifies, and verifies no other signature",
    async (algorithm) => {
      const key = await host().key(algorithm);
      const { signature } = await operated(host(), "sign", { key, data });
      const { publicKey, ...said } = await operated(host(), "publicKey", { key });
      expect(said).toEqual({ algorithm });
      const spki = createPublicKey({ key: Buffer.from(publicKey, "base64url"), format: "der", type: "spki" });
      expect(isSigned(algorithm, spki, utf8("a letter"), decodeBase64url(signature))).toBe(true);
      expect(isSigned(algorithm, spki, utf8("a lettes"), decodeBase64url(signature))).toBe(false);
      expect(await operated(host(), "verify", { key, data, signature })).toEqual({ valid: true });
      const altered = decodeBase64url(signature);
      altered[altered.length - 1]! ^= 1;
      const wrong = { key, data, signature: encodeBase64url(altered) };
      expect(await operated(host(), "verify", wrong)).toEqual({ valid: false });
      const other = { key, data: encodeBase64url(utf8("a lettes")), signature };
      expect(await operated(host(), "verify", other)).toEqual({ valid: false });
      // A key for one use has no other.
      const context = host().context();
      expect(problem(await post("encrypt", { body: { key, context, data } }))).toBe("403 forbidden");
      expect(problem(await post("mac", { body: { key, data } }))).toBe("403 forbidden");
    },
  );

  it("M17 signs with no key that is made for something else, and takes no longer input", async () => {
    const [key, macKey] = [
      await host().key("AES-256-GCM-HKDF-SHA512-COMMIT-KEY"),
      await host().key("HMAC-SHA256-HKDF-SHA512"),
    ];
    const signature = "A".repeat(86);
    for (const other of [key, macKey]) {
      expect(problem(await post("sign", { body: { key: other, data } }))).toBe("403 forbidden");
      expect(problem(await post("verify", { body: { key: other, data, signature } }))).toBe("403 forbidden");
      expect(problem(await post("publicKey", { body: { key: other } }))).toBe("403 forbidden");
    }
    const long = "A".repeat(1_600_000);
    expect(problem(await post("sign", { body: { key, data: long } }))).toBe("413 too-large");
    const short = { key, data, signature: "A".repeat(84) };
    expect(problem(await post("verify", { body: short }))).toBe("400 bad-request");
  });

  it("M16 hashes as FIPS 180-4 says, and gives random bytes that are others each time", async () => {
    for (const [algorithm, name] of [
      ["SHA-256", "sha256"],
      ["SHA-384", "sha384"],
      ["SHA-512", "sha512"],
    ] as const) {
      const digest = createHash(name).update("a letter").digest("base64url");
      expect(await operated(host(), "hash", { algorithm, data })).toEqual({ digest });
    }
    const [{ bytes: one }, { bytes: other }] = await Promise.all([
      operated(host(), "random", { length: 32 }),
      operated(host(), "random", { length: 32 }),
    ]);
    expect(decodeBase64url(one)).toHaveLength(32);
    expect(other).not.toBe(one);
  });

  it("M16 says what it is and publishes the contract, and keys work after a lock as before", async () => {
    const key = await host().key("HMAC-SHA256-HKDF-SHA512");
    const known = json<{ measurement: string; instance: object | null; centralized?: boolean }>(
      await host().send("GET", service.describe.path),
    );
    // One or the other: an instance, or the CaaS, whose keys are in the HSM.
    expect(known.instance === null).toBe(known.centralized === true);
    const { paths } = json<{ paths: Record<string, object> }>(await host().send("GET", service.openApi.path));
    expect(Object.keys(paths).toSorted()).toEqual(
      [...new Set(Object.values<ServiceRoute>(service).map(({ path }) => path))].toSorted(),
    );
    const { mac } = await operated(host(), "mac", { key, data });
    const locked = await host().send("POST", service.lock.path, { body: {} });
    expect([locked.status, json(locked)]).toEqual([201, {}]);
    await host().take(key);
    expect(await operated(host(), "macVerify", { key, data, mac })).toEqual({ valid: true });
  });

  it("M16 refuses with the contract's problems, and says no more", async () => {
    const [key, macKey] = [
      await host().key("AES-256-GCM-HKDF-SHA512-COMMIT-KEY"),
      await host().key("HMAC-SHA256-HKDF-SHA512"),
    ];
    const context = host().context();
    const { message } = await operated(host(), "encrypt", { key, context, data });
    const refusals: Record<string, Promise<Answer>[]> = {
      "422 context-mismatch": [
        post("encrypt", { body: { key, context: { ...context, account: "b" }, data } }),
        post("encrypt", { body: { key, context: { ...context, purpose: "token" }, data } }),
      ],
      "403 forbidden": [
        post("mac", { body: { key, data } }),
        post("macVerify", { body: { key, data, mac: "A".repeat(43) } }),
        post("encrypt", { body: { key: macKey, context, data } }),
      ],
      "409 key-missing": [
        post("mac", { body: { key: "e30.e30.c2ln", data } }),
        post("encrypt", { body: { key: "e30.e30.c2ln", context, data } }),
      ],
      "400 bad-request": [
        post("random", { body: { length: 0 } }),
        post("random", { body: { length: 1025 } }),
        post("hash", { body: { algorithm: "MD5", data } }),
        post("encrypt", { body: { key, context, data, more: 1 } }),
        post("decrypt", { body: { context, message: `${message}=` } }),
      ],
      "415 unsupported-media-type": [post("random", { bytes: utf8("{}") })],
      "413 too-large": [post("hash", { body: { algorithm: "SHA-256", data: "A".repeat(1_600_000) } })],
    };
    const published = new Set<string>(Object.values(operations).flatMap(problemsOfService));
    for (const [expected, answers] of Object.entries(refusals)) {
      expect(published).toContain(expected.slice(4));
      for (const answer of await Promise.all(answers)) {
        expect(problem(answer)).toBe(expected);
        expect(answer.headers["content-type"]).toBe("application/problem+json");
        const members = Object.keys(json(answer)).filter((member) => member !== "instance");
        expect(members.sort()).toEqual(["code", "status", "title", "type"]);
      }
    }
  });
}
