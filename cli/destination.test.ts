import { spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sentenceOf } from "#files/index.ts";
import { missingProgram } from "#test/support/missing.ts";
import { CommandError } from "./command-error.ts";
import { openDestination } from "./destination.ts";
import { writeInto } from "./open.ts";

let folder: string;
const at = (name: string) => join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "coffer-to-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const CONTENT = "verified\n".repeat(50_000);
async function write(path: string, { force = false, signal = undefined as AbortSignal | undefined } = {}) {
  const target = await openDestination(path, { force, name: "document.txt", signal });
  await writeInto(target, new Blob([CONTENT]).stream());
  return target.shown;
}

describe("a file", () => {
  it("appears whole, in a folder under the document's name, and through a folder that is a link", async () => {
    await write(at("x"));
    mkdirSync(at("real"));
    symlinkSync("real", at("link"));
    expect(await write(at("link"))).toBe(at("link/document.txt"));
    await write(at("link/x"));
    expect(readdirSync(at("real")).toSorted()).toEqual(["document.txt", "x"]);
    for (const name of ["x", "real/x", "real/document.txt"])
      expect(readFileSync(at(name), "utf8")).toBe(CONTENT);
  });

  it.each([
    ["a file", (path: string) => writeFileSync(path, "theirs", { mode: 0o666 })],
    ["a link to a file", (path: string) => symlinkSync(at("victim"), path)],
    ["a link to nothing", (path: string) => symlinkSync(at("nowhere"), path)],
  ])(
    "that is there, %s, gives way with --force alone, and nothing it leads to is touched",
    async (_, make) => {
      writeFileSync(at("victim"), "theirs");
      make(at("x"));
      const before = lstatSync(at("x")).ino;
      await expect(write(at("x"))).rejects.toThrow("is there already");
      expect(lstatSync(at("x")).ino).toBe(before);
      await write(at("x"), { force: true });
      expect(lstatSync(at("x")).isFile()).toBe(true);
      expect(statSync(at("x")).mode & 0o777).toBe(0o600);
      expect(readFileSync(at("victim"), "utf8")).toBe("theirs");
      expect(readdirSync(folder).toSorted()).toEqual(["victim", "x"]);
    },
  );

  it("of the name that another program would use for a half written one stays whose it is", async () => {
    writeFileSync(at("x.partial"), "theirs");
    await write(at("x"));
    expect(readFileSync(at("x.partial"), "utf8")).toBe("theirs");
  });

  it("leaves nothing when the stream fails", async () => {
    const failing = new Blob([CONTENT]).stream().pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        flush: () => Promise.reject(new Error("not complete")),
      }),
    );
    const target = await openDestination(at("x"), { force: false, name: "n" });
    await expect(writeInto(target, failing)).rejects.toThrow("not complete");
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    ["a folder that is not there", "no/x", "no such file or folder"],
    ["below a file", "file/x", "a folder is needed"],
    ["a name of a folder that is not there", "no/", "no such folder"],
    ["a name of 256 bytes", "n".repeat(256), "too long"],
  ])("is refused: %s", async (_, name, sentence) => {
    writeFileSync(at("file"), "");
    const error = await write(`${folder}/${name}`).catch((thrown: unknown) => thrown);
    expect(error instanceof CommandError ? error.message : sentenceOf(error)).toContain(sentence);
    expect(readdirSync(folder)).toEqual(["file"]);
  });
});

/** `mkfifo` makes them, `cat` and `head` read them. */
const noPipes = missingProgram("mkfifo", "coreutils");

describe.skipIf(process.platform === "win32")("what is no file", () => {
  it.skipIf(noPipes)(
    "a pipe is written into, with and without --force, and waits for its reader",
    async () => {
      for (const force of [false, true]) {
        spawnSync("mkfifo", [at("pipe")]);
        const writing = write(at("pipe"), { force });
        const reader = spawn("cat", [at("pipe")], { stdio: ["ignore", "pipe", "inherit"] });
        const read = await text(reader.stdout);
        await writing;
        expect(read).toBe(CONTENT);
        expect(lstatSync(at("pipe")).isFIFO()).toBe(true);
        expect(readdirSync(folder)).toEqual(["pipe"]);
        rmSync(at("pipe"));
      }
    },
  );

  it.skipIf(noPipes)(
    "a pipe that nobody reads is waited for until a signal comes, and one whose reader ends says so",
    async () => {
      spawnSync("mkfifo", [at("pipe")]);
      const signal = AbortSignal.timeout(200);
      await expect(write(at("pipe"), { signal })).rejects.toMatchObject({ name: /Abort|Timeout/ });
      const writing = write(at("pipe"));
      const reader = spawn("head", ["-c", "10", at("pipe")], { stdio: "ignore" });
      await expect(writing).rejects.toThrow("What reads the output has ended");
      reader.kill();
    },
  );

  it.skipIf(noPipes)(
    "a pipe is written into to the end, however slow its reader, and nothing else is",
    async () => {
      setFlagsFromString("--expose-gc");
      const collect = runInNewContext("gc") as () => void;
      spawnSync("mkfifo", [at("pipe")]);
      const reader = spawn("cat", [at("pipe")], { stdio: ["ignore", "pipe", "inherit"] });
      const target = await openDestination(at("pipe"), { force: false, name: "n" });
      await target.write(Buffer.from("one "));
      for (let i = 0; i < 3; i++) {
        collect();
        await setTimeout(20);
      }
      const theirs = openSync(at("theirs"), "w");
      const written = await target
        .write(Buffer.from("two"))
        .then(() => target.finish())
        .then(() => "all", String);
      closeSync(theirs);
      expect(written).toBe("all");
      expect(readFileSync(at("theirs"), "utf8")).toBe("");
      expect(await text(reader.stdout)).toBe("one two");
    },
  );

  it.skipIf(process.platform !== "linux" || missingProgram("script", "bsdutils"))(
    "a terminal that is slower than we are is written into to the end",
    async () => {
      // `script` makes a terminal, whose name its child tells; what is written there comes out of `script`, slowly.
      const child = spawn("script", ["-qec", "stty raw -echo; tty; exec sleep 30", "/dev/null"], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      let seen = "";
      const [name] = await new Promise<[string]>((found) =>
        child.stdout.on("data", (chunk) => {
          seen += chunk;
          const [told] = /\/dev\/pts\/\d+/.exec(seen) ?? [];
          if (told !== undefined && /\n/.test(seen)) found([told]);
        }),
      );
      child.stdout.pause();
      const writing = write(name).catch(String);
      await setTimeout(200);
      child.stdout.resume();
      expect(await writing.finally(() => child.kill())).toBe(name);
    },
  );

  it("a device is written into, and says when it is full", async () => {
    symlinkSync("/dev/null", at("null"));
    for (const force of [false, true]) {
      expect(await write("/dev/null", { force }).catch(String)).toBe("/dev/null");
      expect(await write(at("null"), { force }).catch(String)).toBe(at("null"));
    }
    expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
    expect(readlinkSync(at("null"))).toBe("/dev/null");
  });

  it.skipIf(process.platform !== "linux")(
    "a full device is an error of the system, with the cause",
    async () => {
      const error = await write("/dev/full").catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "ENOSPC" });
    },
  );

  it("an output that is open already is written into, wherever it leads", async () => {
    const fd = openSync(at("redirected"), "w");
    await write(`/dev/fd/${fd}`);
    expect(readFileSync(at("redirected"), "utf8")).toBe(CONTENT);
    const closed = openSync(at("redirected"), "r");
    closeSync(closed);
    await expect(write("/dev/fd/99")).rejects.toThrow("no such output");
  });

  it("a socket is refused, and stays", async () => {
    const server = createServer().listen(at("socket"));
    await new Promise((done) => server.once("listening", done));
    await expect(write(at("socket"), { force: true })).rejects.toThrow("is a socket");
    expect(lstatSync(at("socket")).isSocket()).toBe(true);
    server.close();
  });
});
