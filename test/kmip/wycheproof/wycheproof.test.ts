import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createKmipClient, KmipError } from "#protocol/kmip/index.ts";
import { findVectors } from "../../support/missing.ts";
import { type Connection, connectTo } from "../connection.ts";
import { OwnServers, type Server } from "../own-server.ts";
import { driverOf } from "./drivers.ts";
import { type FileResult, KmipSession, readVectors, runFile } from "./index.ts";
import { madeVectors, xtsTweaks } from "./made-vectors.ts";

const own = new OwnServers();
let server: Server;
let connection: Connection;
beforeAll(async () => {
  server = await own.start("tls");
  connection = connectTo(server.endpoint, "tls", "ttlv");
});
afterAll(async () => {
  connection?.close();
  await server?.close();
  own.close();
});

const run = (path: string, pieces: boolean): Promise<FileResult> =>
  runFile(path, new KmipSession(createKmipClient(connection), { pieces }));

const vectors = findVectors("wycheproof");
const folder = vectors ?? "";
const files = vectors ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];

/** What is made of `acceptable` vectors. A key of 8 bytes is below what SP 800-38F §5.3.1 lets AES-KW wrap. */
const ACCEPTABLE: Record<string, FileResult["acceptable"]> = {
  "aes_wrap_test.json": { ShortKey: { accepted: 0, refused: 3 } },
};

describe.skipIf(files.length === 0)("Wycheproof's files, through KMIP", () => {
  it.each(files)("%s", async (file) => {
    const path = join(folder, file);
    const passed = readVectors(path).numberOfTests;
    for (const pieces of [false, true]) {
      const result = await run(path, pieces);
      expect(result).toEqual({
        file,
        passed,
        failed: 0,
        skipped: 0,
        reasons: [],
        failures: [],
        acceptable: ACCEPTABLE[file] ?? {},
      });
    }
  });
});

describe("vectors of the same form for other algorithms", () => {
  const made = Object.entries(madeVectors());
  const dir = mkdtempSync(join(tmpdir(), "coffer-vectors-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it.each(made)("%s", async (name, vectors) => {
    const path = join(dir, `${name}_test.json`);
    writeFileSync(path, JSON.stringify(vectors));
    for (const pieces of [false, true])
      expect(await run(path, pieces)).toMatchObject({
        passed: vectors.numberOfTests,
        failed: 0,
        skipped: 0,
        failures: [],
      });
  });

  it("fills tweaks of XTS up to a block, and tells AES-192 as not offered", async () => {
    const path = join(dir, "xts_tweaks_test.json");
    writeFileSync(path, JSON.stringify(xtsTweaks()));
    expect(await run(path, false)).toMatchObject({
      passed: 32,
      failed: 0,
      skipped: 2,
      reasons: [expect.stringContaining("AES-192-XTS")],
      failures: [],
    });
  });

  it("a server that took what is invalid would fail", async () => {
    const [, vectors] = made.find(([name]) => name === "chacha20_poly1305")!;
    const swapped = { valid: "invalid", invalid: "valid", acceptable: "acceptable" } as const;
    const testGroups = vectors.testGroups.map((group) => ({
      ...group,
      tests: group.tests.map((test) => ({ ...test, result: swapped[test.result] })),
    }));
    const path = join(dir, "swapped_test.json");
    writeFileSync(path, JSON.stringify({ ...vectors, testGroups }));
    expect(await run(path, false)).toMatchObject({ passed: 0, failed: vectors.numberOfTests });
  });
});

describe("what another server does not support", () => {
  const name = "hmac_sha3";
  const vectors = madeVectors()[name]!;
  const dir = mkdtempSync(join(tmpdir(), "coffer-foreign-"));
  const path = join(dir, `${name}_test.json`);
  beforeAll(() => writeFileSync(path, JSON.stringify(vectors)));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  /** A server that says of these operations that it does not have them, and does the others. */
  class Lacking extends KmipSession {
    #lacks: string[];
    #refusal: KmipError;
    constructor(lacks: string[], refusal: KmipError) {
      super(createKmipClient(connection));
      this.#lacks = lacks;
      this.#refusal = refusal;
    }
    override request: KmipSession["request"] = (operation, payload) =>
      this.#lacks.includes(operation) ? Promise.reject(this.#refusal) : super.request(operation, payload);
  }
  const byReason = new KmipError("UnsupportedCryptographicParameters");
  const byName = new KmipError(
    "InvalidField",
    "The algorithm HMAC_SHA3_384 is not a supported MAC algorithm.",
  );
  const tried = (lacks: string[], refusal: KmipError, foreign: boolean) =>
    runFile(path, new Lacking(lacks, refusal), { foreign });
  const all = vectors.numberOfTests;

  it.each([byReason, byName])("is skipped, valid or not, with its words: $message", async (refusal) => {
    const result = await tried(["MAC", "MACVerify"], refusal, true);
    expect(result).toMatchObject({ passed: 0, failed: 0, skipped: all });
    expect(result.reasons).toContain(`MAC: ${refusal.code}, ${refusal.message}`);
  });

  it("does not excuse what it does support, nor another refusal", async () => {
    expect(await tried(["MAC"], byReason, true)).toMatchObject({ passed: all, failed: 0, skipped: 0 });
    const { failed, skipped } = await tried(["MAC"], new KmipError("InvalidField", "no"), true);
    expect({ failed: failed > 0, skipped }).toEqual({ failed: true, skipped: 0 });
  });

  it("is a failure of our own server", async () => {
    const { failed, skipped } = await tried(["MAC", "MACVerify"], byReason, false);
    expect({ failed: failed > 0, skipped }).toEqual({ failed: true, skipped: 0 });
  });
});

describe("what KMIP has no operation for is skipped with a reason", () => {
  it.each([
    ["AES-EAX", "AeadTest"],
    ["AES-GCM-SIV", "AeadTest"],
    ["AES-SIV-CMAC", "DaeadTest"],
    ["AEAD-AES-SIV-CMAC", "AeadTest"],
    ["AES-FF1", "FpeStrTest"],
    ["XCHACHA20-POLY1305", "AeadTest"],
    ["A128CBC-HS256", "AeadTest"],
    ["SEED-CCM", "AeadTest"],
    ["SM4-GCM", "AeadTest"],
    ["AEGIS128", "AeadTest"],
    ["ASCON128", "AeadTest"],
    ["KMAC128", "MacTest"],
    ["SIPHASH-2-4", "MacTest"],
    ["VMAC-AES", "MacWithIvTest"],
    ["HMACSM3", "MacTest"],
    ["HMACSHA512/256", "MacTest"],
    ["ECDSA", "EcdsaP1363Verify"],
    ["ECDSA", "EcdsaBitcoinVerify"],
    ["DSA", "DsaP1363Verify"],
    ["ECDH", "EcdhWebcryptoTest"],
    ["XDH", "XdhJwkComp"],
    ["ML-KEM", "MLKEMTest"],
    ["ML-DSA-65", "MlDsaVerify"],
    ["PbeWithHmacSha1", "PbeTest"],
    ["PrimalityTest", "PrimalityTest"],
    ["JSON Web Signature", "JsonWebSignature"],
  ])("%s, %s", (algorithm, type) => {
    const reason = driverOf({ algorithm, numberOfTests: 0, testGroups: [] }, { type, tests: [] });
    expect(reason).toBeTypeOf("string");
    expect(reason).not.toMatch(/^no operation is known/);
  });
});
