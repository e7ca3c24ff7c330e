import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { appKeyFile, openAppKey } from "./app-key.ts";

const { subtle } = crypto;
const PASSPHRASE = "a secret of the server, at random";
let dir: string;
let path: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "coffer-app-key-"));
  path = join(dir, "app-specific-key.pem");
});
afterAll(() => rm(dir, { recursive: true }));

const RSA = { name: "RSA-OAEP", hash: "SHA-256" };

it("W6 keeps the app-specific key encrypted, and derives the public half from the private one", async () => {
  const made = await openAppKey(appKeyFile(path), PASSPHRASE);
  expect(made.wrappingKey).toMatchObject({ extractable: false, type: "private", usages: ["unwrapKey"] });
  expect(await readFile(path, "utf8")).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
  if (process.platform !== "win32") expect((await stat(path)).mode & 0o777).toBe(0o600);

  // After a restart it opens what is encrypted to the public half.
  const again = await openAppKey(appKeyFile(path), PASSPHRASE);
  expect(again.wrappingSpki).toEqual(made.wrappingSpki);
  const to = await subtle.importKey("spki", made.wrappingSpki, RSA, true, ["encrypt"]);
  const wrapped = await subtle.encrypt(RSA, to, new Uint8Array(32));
  const as = { name: "AES-KW", length: 256 };
  const master = await subtle.unwrapKey("raw", wrapped, again.wrappingKey, RSA, as, false, ["unwrapKey"]);
  expect(master.extractable).toBe(false);
});

it.each([
  ["another passphrase", async () => {}, "another secret of the server, at random"],
  [
    "a damaged key",
    async () => {
      const pem = await readFile(path, "utf8");
      await writeFile(path, pem.replace(/^(M.{40}).{4}/m, "$1AAAA"));
    },
    PASSPHRASE,
  ],
  [
    "a key in the clear",
    async () => {
      const pair = await subtle.generateKey(
        { ...RSA, modulusLength: 3072, publicExponent: new Uint8Array([1, 0, 1]) },
        true,
        ["unwrapKey", "wrapKey"],
      );
      const pkcs8 = Buffer.from(await subtle.exportKey("pkcs8", pair.privateKey)).toString("base64");
      await writeFile(path, `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`);
    },
    PASSPHRASE,
  ],
])("refuses %s", async (_, damage, passphrase) => {
  await damage();
  await expect(openAppKey(appKeyFile(path), passphrase)).rejects.toMatchObject({ code: "key-file-damaged" });
});

it("takes no short passphrase", async () => {
  await expect(openAppKey(appKeyFile(path), "short")).rejects.toThrow(TypeError);
});
