import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { skipTest } from "../support/missing.ts";
import {
  canReadMemory,
  needle,
  scanBytes,
  scanDirectory,
  scanProcess,
  scanSqlite,
  textNeedle,
  watchMemory,
} from "./index.ts";
import { workerdPid } from "./workerd.ts";

const forms = (findings: { form: string }[]) => [...new Set(findings.map(({ form }) => form))].sort();

describe("search", () => {
  const secret = randomBytes(32);
  const wanted = needle("planted", secret);

  it("finds every form at every alignment, at the start, in the middle and at the end", () => {
    const texts = {
      raw: secret,
      hex: Buffer.from(secret.toString("hex")),
      HEX: Buffer.from(secret.toString("hex").toUpperCase()),
    };
    for (const [form, bytes] of Object.entries(texts)) {
      for (const around of [
        [0, 0],
        [1, 3],
        [5, 0],
        [0, 7],
        [1000, 1000],
      ] as const) {
        const hay = Buffer.concat([Buffer.alloc(around[0]), bytes, Buffer.alloc(around[1])]);
        expect(forms(scanBytes(hay, [wanted])), `${form} ${around}`).toContain(form);
      }
    }
    for (const before of [0, 1, 2, 3, 4, 5]) {
      for (const encoding of ["base64", "base64url"] as const) {
        const hay = Buffer.from(
          Buffer.concat([randomBytes(before), secret, randomBytes(9)]).toString(encoding),
        );
        expect(scanBytes(hay, [wanted]).length, `${encoding} after ${before} bytes`).toBeGreaterThan(0);
      }
    }
    expect(forms(scanBytes(Buffer.from(secret.toString("base64url"), "utf16le"), [wanted]))[0]).toMatch(
      /utf-16$/,
    );
  });

  it("finds nothing where nothing is, and not a secret with one bit changed", () => {
    const other = Buffer.from(secret);
    other[31]! ^= 1;
    expect(scanBytes(Buffer.concat([randomBytes(100_000), other]), [wanted])).toEqual([]);
  });
});

describe("files", () => {
  const directory = mkdtempSync(join(tmpdir(), "coffer-memory-test-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it("finds a secret in a file, in a file's name and in cells of SQLite that only the write-ahead log has", () => {
    const secret = randomBytes(32);
    const name = textNeedle("file name", "Geheimer Plan №7.pdf");
    mkdirSync(join(directory, "sub"));
    writeFileSync(join(directory, "sub", "a.log"), `x ${secret.toString("base64url")} y`);
    writeFileSync(join(directory, "Geheimer Plan №7.pdf"), "");
    const database = new DatabaseSync(join(directory, "state.sqlite"));
    database.exec("PRAGMA journal_mode = WAL; CREATE TABLE document (id INTEGER, long BLOB)");
    // Longer than a page, so that the secret is cut somewhere: the cell still has it whole.
    const long = Buffer.alloc(64 * 1024);
    for (let at = 0; at + 32 <= long.length; at += 32) long.set(secret, at);
    database.prepare("INSERT INTO document VALUES (1, ?)").run(long);
    expect(scanSqlite(join(directory, "state.sqlite"), [needle("key", secret)])[0]?.where).toContain(
      "document.long",
    );
    const { findings, files } = scanDirectory(directory, [needle("key", secret), name]);
    database.close();
    expect(files.length).toBeGreaterThanOrEqual(3);
    expect(findings.some(({ where }) => where.includes("a.log"))).toBe(true);
    expect(findings.some(({ where }) => where.startsWith("name of "))).toBe(true);
    expect(findings.some(({ where }) => where.includes("-wal"))).toBe(true);
  });
});

describe("process", () => {
  let miniflare: Miniflare;
  let url: URL;
  beforeAll(async () => {
    miniflare = new Miniflare(
      convertV4MiniflareOptions({
        modules: true,
        script: `let held = [];
        export default { async fetch(request) {
          const bytes = new Uint8Array(await request.arrayBuffer());
          if (new URL(request.url).pathname === "/hold") held.push(bytes);
          return new Response(String(bytes.length));
        } }`,
        compatibilityDate: "2026-10-01",
      }),
    );
    url = await miniflare.ready;
  });
  afterAll(() => miniflare?.dispose());

  it("finds what a worker in workerd holds, and does not find what it never saw", async (context) => {
    const pid = workerdPid(Number(url.port));
    if (!canReadMemory(pid)) return skipTest(context, "the memory of workerd cannot be read here");
    const held = randomBytes(32);
    const never = randomBytes(32);
    // Through a watch, as in the tests of the product: started before the secret is there.
    const watch = watchMemory(pid);
    watch.add(needle("held", held));
    watch.add(needle("never", never));
    await fetch(new URL("/hold", url), { method: "POST", body: held });
    const { findings, passes } = await watch.stop();
    expect(passes).toBeGreaterThan(0);
    expect(findings.map(({ name }) => name)).toContain("held");
    expect(findings.map(({ name }) => name)).not.toContain("never");
    const begun = performance.now();
    const { scanned } = scanProcess(pid, [needle("held", held)]);
    expect(scanned).toBeGreaterThan(20_000_000);
    expect(performance.now() - begun).toBeLessThan(10_000);
  });
});
