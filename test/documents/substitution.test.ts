/** A datastore that serves other bytes than it was given: one error for all of it, and nothing is reported complete. */

import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { openDestination } from "#cli/destination.ts";
import { writeInto } from "#cli/open.ts";
import { parseHeader } from "#protocol/envelope/index.ts";
import { changeRows, sealFile, showFile, signIn, useSystemAndBrowser } from "../system/index.ts";
import { readStored, replaceStored } from "./bucket.ts";
import { connectNode } from "./node-client.ts";

/** Two frames and a bit, so that something verifies before the end. */
const LENGTH = 600_000;
const FRAME = 256 << 10;
const draft = new Uint8Array(LENGTH).fill(1);
const final = new Uint8Array(LENGTH).fill(2);
const other = new Uint8Array(LENGTH).fill(3);

const { system, browsing } = useSystemAndBrowser();
let client: Awaited<ReturnType<typeof connectNode>>;
let folder: string;
/** `old` is an earlier version of `now`, under the same name; `foreign` is another document of the same length. */
let ids: { old: string; now: string; foreign: string };
let genuine: { content: Buffer; metadata: Buffer };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "coffer-substitution-"));
  client = await connectNode(system, "Ada");
  const account = client.identity.accounts[0]!.id;
  const seal = async (bytes: Uint8Array<ArrayBuffer>, name: string) =>
    (await client.documents.seal(bytes, account, { name })).id;
  ids = {
    old: await seal(draft, "will.bin"),
    now: await seal(final, "will.bin"),
    foreign: await seal(other, "rent.bin"),
  };
  genuine = { content: stored(ids.now, "content"), metadata: stored(ids.now, "metadata") };
});
afterAll(async () => {
  client?.close();
  rmSync(folder, { recursive: true, force: true });
});
afterEach(() => {
  replaceStored(system.edgeDir, ids.now, "content", genuine.content);
  replaceStored(system.edgeDir, ids.now, "metadata", genuine.metadata);
});

const stored = (id: string, what: "content" | "metadata") => readStored(system.edgeDir, id, what);

/** Opens the document as somebody who has not opened it before, to a file; what came of it. */
async function attempt(): Promise<{ error: string | undefined; file: boolean; early: number }> {
  const reader = await connectNode(system, "Ada");
  const path = join(folder, "opened.bin");
  let early = 0;
  try {
    const { stream } = await reader.documents.open(ids.now, { onProgress: ({ bytes }) => (early = bytes) });
    await writeInto(await openDestination(path, { force: false, name: "document" }), stream);
    return { error: undefined, file: existsSync(path), early };
  } catch (error) {
    return { error: (error as { code?: string }).code, file: readdirSync(folder).length > 0, early };
  } finally {
    reader.close();
    rmSync(path, { force: true });
  }
}

it("what was stored opens (positive control)", async () => {
  expect(await attempt()).toEqual({ error: undefined, file: true, early: LENGTH });
});

it("another document served under this id is refused", async () => {
  replaceStored(system.edgeDir, ids.now, "content", stored(ids.foreign, "content"));
  expect(await attempt()).toEqual({ error: "decrypt-failed", file: false, early: 0 });
});

it("an older version of the document served under this id is refused", async () => {
  replaceStored(system.edgeDir, ids.now, "content", stored(ids.old, "content"));
  expect(await attempt()).toEqual({ error: "decrypt-failed", file: false, early: 0 });
});

it("metadata of another document is refused, alone and with the content that belongs to it", async () => {
  replaceStored(system.edgeDir, ids.now, "metadata", stored(ids.foreign, "metadata"));
  expect(await attempt()).toEqual({ error: "decrypt-failed", file: false, early: 0 });
  replaceStored(system.edgeDir, ids.now, "content", stored(ids.foreign, "content"));
  expect(await attempt()).toEqual({ error: "decrypt-failed", file: false, early: 0 });
});

it("metadata served as content, and content as metadata, are refused", async () => {
  // Lengths must fit, so both are cut from what is there: the headers alone decide.
  const { metadata, content } = genuine;
  replaceStored(
    system.edgeDir,
    ids.now,
    "content",
    Buffer.concat([metadata, content.subarray(metadata.length)]),
  );
  expect(await attempt()).toEqual({ error: "decrypt-failed", file: false, early: 0 });
  replaceStored(system.edgeDir, ids.now, "content", content);
  replaceStored(system.edgeDir, ids.now, "metadata", content.subarray(0, metadata.length));
  expect(await attempt()).toEqual({ error: "decrypt-failed", file: false, early: 0 });
});

it("a frame of another version, or one that is lost, is refused in the middle: no file, whatever came before", async () => {
  const { length } = parseHeader(genuine.content)!;
  const second = length + FRAME + 32;
  const old = stored(ids.old, "content");
  replaceStored(
    system.edgeDir,
    ids.now,
    "content",
    Buffer.concat([genuine.content.subarray(0, second), old.subarray(second)]),
  );
  expect(await attempt()).toMatchObject({ error: "decrypt-failed", file: false });
  const zeros = Buffer.from(genuine.content);
  zeros.fill(0, zeros.length - 1000);
  replaceStored(system.edgeDir, ids.now, "content", zeros);
  expect(await attempt()).toMatchObject({ error: "decrypt-failed", file: false });
});

it("one flipped bit at a time, in header, frames and tags, has one error", async () => {
  const { length } = parseHeader(genuine.content)!;
  const places = [
    0,
    2,
    40,
    length - 40,
    length - 1,
    length + 3,
    length + 10,
    length + 5000,
    LENGTH,
    genuine.content.length - 1,
  ];
  for (const place of places) {
    const changed = Buffer.from(genuine.content);
    changed[place]! ^= 1;
    replaceStored(system.edgeDir, ids.now, "content", changed);
    const { error, file } = await attempt();
    expect({ place, error, file }).toEqual({ place, error: "decrypt-failed", file: false });
  }
});

it("the page shows no name and saves nothing that was put in another's place", async () => {
  const { page } = await browsing.open();
  // Nobody could answer its question.
  await page.addInitScript(() => Reflect.deleteProperty(globalThis, "showSaveFilePicker"));
  await signIn(page, system, "Bob");
  await sealFile(page, "mine.txt", "my own words");
  await sealFile(page, "more.txt", "other words!");
  const rows = page.getByRole("list", { name: "Documents" }).locator("coffer-document");
  const idOf = async (name: string) =>
    (await rows.filter({ hasText: name }).getAttribute("data-document")) ?? "";
  const [mine, more] = [await idOf("mine.txt"), await idOf("more.txt")];
  replaceStored(system.edgeDir, mine, "content", readStored(system.edgeDir, more, "content"));
  await page.reload();
  await rows.filter({ hasText: "mine.txt" }).getByRole("button", { name: "Open mine.txt" }).click();
  await page.getByRole("alert").first().waitFor();
  expect(await page.getByRole("dialog").count()).toBe(0);
  expect(await page.getByText("other words!").count()).toBe(0);
  let downloads = 0;
  page.on("download", () => downloads++);
  await rows.filter({ hasText: "mine.txt" }).getByRole("button", { name: "Save mine.txt" }).click();
  await page.getByRole("button", { name: "Dismiss mine.txt" }).waitFor();
  expect(downloads).toBe(0);
  expect(await showFile(page, "more.txt")).toBe("other words!");

  // A bit of a frame, which is found while it is opened.
  const whole = readStored(system.edgeDir, more, "content");
  const changed = Buffer.from(whole);
  changed[changed.length - 1]! ^= 1;
  replaceStored(system.edgeDir, more, "content", changed);
  await page.reload();
  await rows.filter({ hasText: "more.txt" }).getByRole("button", { name: "Open more.txt" }).click();
  await expect
    .poll(() => page.getByRole("alert").allTextContents(), { timeout: 20_000 })
    .toContainEqual(expect.stringContaining("it was changed or is incomplete"));
  expect(await page.getByRole("dialog").count()).toBe(0);
  replaceStored(system.edgeDir, more, "content", whole);

  // The list has a copy of each name; the document is opened by its own metadata alone.
  replaceStored(system.edgeDir, more, "metadata", readStored(system.edgeDir, mine, "metadata"));
  await page.reload();
  const other = rows.filter({ hasText: "more.txt" });
  await other.getByRole("button", { name: "Open more.txt" }).click();
  await page.getByRole("alert").first().waitFor();
  expect(await page.getByRole("dialog").count()).toBe(0);
  changeRows(system.edgeDir, "documents", "UPDATE documents SET listed = NULL, listed_key = NULL");
  await page.reload();
  await rows.filter({ hasText: "Cannot be opened" }).waitFor();
  await rows.filter({ hasText: "mine.txt" }).waitFor();
  expect(await rows.filter({ hasText: "mine.txt" }).count()).toBe(1);
});
