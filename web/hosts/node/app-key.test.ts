import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { appKeyFile, keepAppKey, openAppKey, type RotatingPlace } from "./app-key.ts";

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

/** Where it is to be kept, and a crash at the step of that number. */
function crashing(at: string, step: number): RotatingPlace {
  const place = appKeyFile(at);
  let steps = 0;
  const crash = async <T>(work: () => Promise<T>): Promise<T> => {
    if (steps++ === step) throw new Error("crash");
    return work();
  };
  return {
    ...{ read: place.read, write: place.write },
    next: {
      read: () => crash(place.next.read),
      write: (pem) => crash(() => place.next.write(pem)),
    },
    take: () => crash(place.take),
  };
}
const spkiOf = async (at: string) =>
  Buffer.from((await openAppKey(appKeyFile(at), PASSPHRASE)).wrappingSpki).toString("base64");

it("W12 rotates it: the next one is kept before it is used, and whatever step fails, one that opens is there", async () => {
  const at = join(dir, "rotated.pem");
  const before = await spkiOf(at);
  const rotate = async (place: RotatingPlace) => {
    const { nextAppKey } = keepAppKey(place, PASSPHRASE);
    const { wrappingSpki } = await nextAppKey.open();
    const next = Buffer.from(wrappingSpki).toString("base64");
    // What an instance begins with is on the disk by then.
    expect(await spkiOf(`${at}.next`)).toBe(next);
    await nextAppKey.take();
    return next;
  };
  const kept: string[] = [];
  // The next one is read, written, read again and taken; where it is there already it is not written.
  for (const step of [0, 1, 2, 2]) {
    await expect(rotate(crashing(at, step)), String(step)).rejects.toThrow("crash");
    expect(await spkiOf(at), String(step)).toBe(before);
    kept.push(existsSync(`${at}.next`) ? await spkiOf(`${at}.next`) : "");
  }
  // A crash of before has left the next one, which is gone on with: in the strict variant a ceremony may have been for it.
  expect(kept.slice(0, 2)).toEqual(["", ""]);
  const next = await rotate(appKeyFile(at));
  expect(next).toBe(kept[2]);
  expect(await spkiOf(at)).toBe(next);
  expect(next).not.toBe(before);
  expect(existsSync(`${at}.next`)).toBe(false);
  if (process.platform !== "win32") expect((await stat(at)).mode & 0o777).toBe(0o600);
});

it("W12 gives up no key for one that another process has begun meanwhile", async () => {
  const at = join(dir, "two.pem");
  await spkiOf(at);
  const [own, other] = [keepAppKey(appKeyFile(at), PASSPHRASE), keepAppKey(appKeyFile(at), PASSPHRASE)];
  await expect(own.nextAppKey.take()).rejects.toMatchObject({ code: "conflict" });
  const first = await own.nextAppKey.open();
  await other.nextAppKey.open();
  await own.nextAppKey.take();
  await expect(other.nextAppKey.take()).rejects.toMatchObject({ code: "conflict" });
  await own.nextAppKey.open();
  await expect(other.nextAppKey.take()).rejects.toMatchObject({ code: "conflict" });
  expect(await spkiOf(at)).toBe(Buffer.from(first.wrappingSpki).toString("base64"));
});

it("W12 a process that is killed at whatever moment of a rotation leaves a key that opens", async () => {
  const at = join(dir, "killed.pem");
  await spkiOf(at);
  const pem = await readFile(at, "utf8");
  // Over and over: the same key, written and taken as another one is.
  const script = `
    import { appKeyFile } from ${JSON.stringify(new URL("./app-key.ts", import.meta.url).href)};
    const place = appKeyFile(${JSON.stringify(at)});
    const pem = ${JSON.stringify(pem)};
    console.log("begun");
    for (;;) {
      if ((await place.next.read()) === undefined) await place.next.write(pem);
      await place.take();
    }`;
  for (let i = 0; i < 5; i++) {
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    await pause(1 + Math.random() * 30);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(await readFile(at, "utf8")).toBe(pem);
    await spkiOf(at);
  }
}, 60_000);

it("W12 makes none in the place of a next one that is damaged, and gives up none for it", async () => {
  const at = join(dir, "damaged.pem");
  const before = await spkiOf(at);
  await writeFile(`${at}.next`, "no key");
  const { nextAppKey } = keepAppKey(appKeyFile(at), PASSPHRASE);
  await expect(nextAppKey.open()).rejects.toMatchObject({ code: "key-file-damaged" });
  expect(await spkiOf(at)).toBe(before);
});
