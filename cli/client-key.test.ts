import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, it, vi } from "vitest";
import { clientKey, PASSPHRASE_VARIABLE } from "./client-key.ts";

const dir = mkdtempSync(join(tmpdir(), "coffer-passphrase-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());
const file = (name: string, text: string) => {
  const path = join(dir, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};
const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const encrypted = [
  privateKey.export({ format: "pem", type: "pkcs8", cipher: "aes-256-cbc", passphrase: "open it" }),
  privateKey.export({ format: "pem", type: "sec1", cipher: "aes-256-cbc", passphrase: "open it" }),
] as string[];
const isTheKey = (pem: string) => expect(createPrivateKey(pem).equals(privateKey)).toBe(true);

it("opens an encrypted client key with a passphrase from a file or the environment", () => {
  for (const pem of encrypted) {
    isTheKey(clientKey(pem, file("right", "open it\n")));
    vi.stubEnv(PASSPHRASE_VARIABLE, "open it");
    isTheKey(clientKey(pem, undefined));
    vi.unstubAllEnvs();
  }
  isTheKey(clientKey(privateKey.export({ format: "pem", type: "pkcs8" }) as string, undefined));
});

it("says in a sentence that a passphrase is missing or wrong", () => {
  for (const pem of encrypted) {
    expect(() => clientKey(pem, undefined)).toThrow("--key: the key is encrypted. Give its passphrase");
    expect(() => clientKey(pem, file("wrong", "other"))).toThrow("does not open the key");
    expect(() => clientKey(pem, join(dir, "none"))).toThrow("cannot be read");
  }
  expect(() => clientKey("nonsense", undefined)).toThrow("no private key in PEM");
});
