/** A browser's profile on the disk, in which somebody has worked, and what whoever has its files reads in its databases. */

import { createPrivateKey, type KeyObject } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright";
import { ARGUMENTS, executablePath, LOCALE } from "../chromium/launch.ts";
import type { System } from "../support/start.ts";
import type { Loot } from "./dumps.ts";
import { sealFile, showFile, signIn, untilEnrolled } from "./page.ts";

/** LevelDB: blocks of 32 KiB, in them pieces with checksum, length and kind before each. */
const [BLOCK, PIECE] = [32_768, 7];
/** Blink's serialized values: before an ArrayBuffer's length, and before an AES key (kind of key, algorithm) and its length. */
const ARRAY_BUFFER = 0x42;
const AES_KEY = Buffer.from([0x4b, 1]);
const RSA_PKCS8 = Buffer.from("020100300d06092a864886f70d0101010500", "hex");

export class Profile {
  readonly path = mkdtempSync(join(tmpdir(), "coffer-profile-"));
  account = "";

  /** Has this person seal a text and open it, on the page, and closes the browser. */
  async seal(system: Pick<System, "appOrigin" | "vaultOrigin">, person: string, text: string): Promise<void> {
    const options = { executablePath: executablePath(), args: ARGUMENTS, env: { ...process.env, ...LOCALE } };
    const context = await chromium.launchPersistentContext(this.path, options);
    try {
      const page = context.pages()[0] ?? (await context.newPage());
      await signIn(page, system, person);
      await untilEnrolled(page);
      await sealFile(page, "secret.txt", text);
      await showFile(page, "secret.txt");
    } finally {
      await context.close();
    }
  }

  /** The private keys that lie there in the clear (RSA). */
  privateKeys(): KeyObject[] {
    return this.#databases().flatMap(privateKeysIn);
  }

  /** Puts into the loot what its databases have: private keys, secret keys, and whatever is as long as an encrypted key. */
  into(loot: Loot): Loot {
    for (const bytes of this.#databases()) {
      loot.file(bytes);
      for (const key of privateKeysIn(bytes)) loot.found(key);
      for (let at = bytes.indexOf(ARRAY_BUFFER); at >= 0; at = bytes.indexOf(ARRAY_BUFFER, at + 1))
        loot.key(sized(bytes, at + 1));
      for (let at = bytes.indexOf(AES_KEY); at >= 0; at = bytes.indexOf(AES_KEY, at + 1))
        // Algorithm, bits, usages, length: a byte or two each.
        for (let end = at + 5; end < at + 9; end++) if (bytes[end] === 32) loot.key(sized(bytes, end));
    }
    return loot;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  /** What stands in the logs of its databases, and in files beside them. */
  #databases(): Buffer[] {
    const folder = join(this.path, "Default/IndexedDB");
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => {
        // As much as one person writes in a minute stays in the log; a table would be compressed.
        if (name.endsWith(".ldb")) throw new Error(`${name} is a table, which is not read here`);
        const bytes = readFileSync(join(parentPath, name));
        return name.endsWith(".log") ? contentsOfLog(bytes) : bytes;
      });
  }
}

/** The contents of a LevelDB log, one record after the other. */
export function contentsOfLog(log: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at + PIECE <= log.length; ) {
    const left = BLOCK - (at % BLOCK);
    const length = left < PIECE ? 0 : log.readUInt16LE(at + 4);
    if (left < PIECE || (length === 0 && log[at + 6] === 0)) at += left;
    else {
      pieces.push(log.subarray(at + PIECE, at + PIECE + length));
      at += PIECE + length;
    }
  }
  return Buffer.concat(pieces);
}

/** PKCS#8 begins with a sequence whose length has two bytes; the algorithm says that it is RSA. */
function privateKeysIn(bytes: Buffer): KeyObject[] {
  const found: KeyObject[] = [];
  for (let at = bytes.indexOf(RSA_PKCS8); at >= 0; at = bytes.indexOf(RSA_PKCS8, at + 1)) {
    if (at < 4) continue;
    const der = bytes.subarray(at - 4, at + bytes.readUInt16BE(at - 2));
    try {
      found.push(createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" }));
    } catch {
      // It was overwritten in part.
    }
  }
  return found;
}

/** The bytes behind a length (varint) that begins at `at`; none where it is more than any key has. */
function sized(bytes: Buffer, at: number): Buffer {
  const [first = 0, second = 0] = bytes.subarray(at, at + 2);
  const long = first >= 128;
  const length = long ? (first & 127) | (second << 7) : first;
  const begin = at + (long ? 2 : 1);
  return length > 4096 ? Buffer.alloc(0) : bytes.subarray(begin, begin + length);
}
