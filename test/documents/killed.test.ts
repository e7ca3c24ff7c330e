/**
 * Uploads whose browser is killed: Chromium with a profile on the disk, ended by SIGKILL with all its processes, started again and given the
 * file again. What it sends is recorded on its way to the datastore, as far as it came.
 */

import { randomBytes, randomInt } from "node:crypto";
import { mkdirSync, mkdtempSync, readlinkSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ARGUMENTS, executablePath, LOCALE } from "../chromium/launch.ts";
import { signIn, untilEnrolled, useSystem } from "../system/index.ts";
import { bytesOf, connectNode } from "./node-client.ts";
import { SentFrames } from "./sent-frames.ts";
import { listed } from "./waiting.ts";

const KILLS = 50;
/** Times that one upload is killed before it is let through. */
const KILLS_EACH = 7;
/** Parts of the datastore. */
const PART = 8 << 20;
/** Five parts. */
const SIZE = 4 * PART + 1_234_567;
/** Bytes that come at a time of a part, where much comes. */
const CHUNK = 64 << 10;
/** Requests and answers of an upload that are not parts. */
const OTHERS = 12;

const RECORDED = "recorded";
const system = useSystem({ otherApps: [RECORDED], passedOn: [RECORDED] });
const folder = mkdtempSync(join(tmpdir(), "coffer-killed-"));
const profile = join(folder, "profile");
let server: Server;
let client: Awaited<ReturnType<typeof connectNode>>;
const origins = () => ({
  appOrigin: system.origin(RECORDED),
  vaultOrigin: system.vaultOrigin,
  running: system.running,
});

const sent = new SentFrames(PART);
/** What the datastore has got and answered of the upload that was begun last: bytes of each part as far as it came, and of those that it has accepted. */
const newUpload = (id = "") => ({
  ...{ id, named: false, complete: false },
  begun: new Map<number, number>(),
  parts: new Map<number, number>(),
});
let upload = newUpload();
/** Parts that were sent although the datastore had accepted them. */
const needless: string[] = [];
/** Requests that the edge has not answered yet, whether their browser lives or not. */
const underWay = new Set<IncomingMessage>();
/**
 * Ends the browser when so many more moments of an upload have passed: each request, each of a part's chunks, each answer. `begun`: of those moments alone at
 * which a part begins to come.
 */
let stop: { after: number; begun?: boolean; kill: () => void } | undefined;

function moment(isBegun = false): void {
  if (!stop || (stop.begun && !isBegun) || stop.after-- > 0) return;
  const { kill } = stop;
  stop = undefined;
  kill();
}

/** Passes a request on to the edge as it comes; one that was sent whole is carried out, whatever becomes of who has sent it. */
function pass(asked: IncomingMessage, answer: ServerResponse): void {
  const { method, url: path = "", headers } = asked;
  const [, id, part, what] =
    /^\/accounts\/[^/]+\/documents\/([^/]+)\/(?:parts\/(\d+)|(metadata|complete))$/.exec(path) ?? [];
  const counts = method !== "GET" ? /\/documents(\/|$)/.test(path) : /\/uploads\//.test(path);
  const ours = id !== undefined && method !== "GET";
  if (ours && id !== upload.id) upload = newUpload(id);
  if (ours && part && upload.parts.has(Number(part))) needless.push(path);
  const chunks: Buffer[] = [];
  let length = 0;
  const { port } = new URL(system.appOrigin);
  underWay.add(asked);
  const passed = request({ host: "127.0.0.1", port, path, method, headers, agent: false }, (given) => {
    const done = given.statusCode! < 300;
    if (ours && done && id === upload.id) {
      if (part) upload.parts.set(Number(part), length);
      if (what === "metadata") upload.named = true;
      if (what === "complete") upload.complete = true;
    }
    if (counts) moment();
    given.pipe(answer.writeHead(given.statusCode!, given.headers));
    answer.once("close", () => given.resume());
  });
  passed.on("error", () => answer.destroy()).once("close", () => underWay.delete(asked));
  asked.on("data", (chunk: Buffer) => {
    const isFirst = length === 0;
    length += chunk.length;
    if (part) {
      chunks.push(chunk);
      upload.begun.set(Number(part), length);
    }
    if (counts) moment(part !== undefined && isFirst);
  });
  asked.once("close", () => {
    if (ours && part) sent.take(id, Number(part), Buffer.concat(chunks));
    if (!asked.complete) passed.destroy();
  });
  asked.pipe(passed);
  if (counts) moment();
}

beforeAll(async () => {
  server = createServer(pass);
  const { port } = new URL(system.origin(RECORDED));
  await new Promise<void>((resolve) => server.listen(Number(port), "127.0.0.1", resolve));
  client = await connectNode(origins(), "Ada");
  // Ended as people end it, so that the profile has the cookies.
  const { context, page } = await start();
  await signIn(page, origins(), "Ada");
  await untilEnrolled(page);
  await context.close();
});
afterAll(async () => {
  client?.close();
  server?.closeAllConnections();
  server?.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

type Started = { context: BrowserContext; page: Page; kill: () => void; ended: Promise<void> };

/** Starts the browser with the one profile. `kill` ends it at once, with all its processes. */
async function start(): Promise<Started> {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: executablePath(),
    env: { ...process.env, ...LOCALE },
    args: ARGUMENTS,
  });
  const ended = new Promise<void>((resolve) => context.once("close", () => resolve()));
  // Playwright starts it as the first of a group of its own. The lock of a profile says whose it is.
  const pid = Number(readlinkSync(join(profile, "SingletonLock")).split("-").at(-1));
  const kill = () => process.kill(-pid, "SIGKILL");
  return { context, page: context.pages()[0] ?? (await context.newPage()), kill, ended };
}

/** One life of the browser, signed in as before. Answers whether it was killed, which `after` so many moments of what `work` begins it is. */
async function life(work: (page: Page) => Promise<void>, after?: number, begun = false): Promise<boolean> {
  const { context, page, kill, ended } = await start();
  let killed = false;
  try {
    await page.goto(`${system.origin(RECORDED)}/`);
    await untilEnrolled(page);
    if (after !== undefined)
      stop = {
        ...{ after, begun },
        kill: () => {
          killed = true;
          kill();
        },
      };
    await work(page);
  } catch (error) {
    if (!killed) throw error;
  } finally {
    stop = undefined;
    if (killed) await ended;
    else await context.close();
    await expect.poll(() => underWay.size, { timeout: 30_000 }).toBe(0);
  }
  return killed;
}

/** A file of this name, in a folder of its own. */
function fileOf(name: string, bytes: Uint8Array, within = "files"): string {
  const path = join(folder, within, name);
  mkdirSync(join(folder, within), { recursive: true });
  writeFileSync(path, bytes);
  utimesSync(path, 1_800_000_000, 1_800_000_000);
  return path;
}

const begin = (page: Page, path: string) => page.getByLabel("Files to seal").setInputFiles(path);

/** Chooses a file for the upload that was stopped. */
async function choose(page: Page, name: string, path: string): Promise<void> {
  const button = page.getByRole("button", { name: `Choose file: ${name}` });
  await button.waitFor({ timeout: 60_000 });
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), button.click()]);
  await chooser.setFiles(path);
}

/** Waits until it is in the list, so many times, or the page says what is wrong; answers that. */
async function outcome(page: Page, name: string, count = 1): Promise<string[]> {
  const alerts = page.getByRole("alert");
  await listed(page, name)
    .nth(count - 1)
    .or(alerts)
    .first()
    .waitFor({ timeout: 120_000 });
  return alerts.allTextContents();
}

/** All documents of this name, deleted once they are opened. */
async function opened(name: string): Promise<Buffer[]> {
  const documents = await client.documents.list(client.identity.accounts.map(({ id }) => id));
  const contents: Buffer[] = [];
  for (const { id, metadata } of documents) {
    if (metadata?.name !== name) continue;
    contents.push(Buffer.from(await bytesOf((await client.documents.open(id)).stream)));
    await client.documents.remove(id);
  }
  return contents;
}

it("a file of the same name, size and time, with another byte in a part that was not acknowledged, never goes on under the old message id", async () => {
  const name = "changed.bin";
  const bytes = randomBytes(SIZE);
  const path = fileOf(name, bytes);
  const killed = await life(
    async (page) => {
      await begin(page, path);
      await outcome(page, name);
    },
    2,
    // In the midst of a part: most of it has not left the browser.
    true,
  );
  expect(killed).toBe(true);
  expect(upload.named).toBe(true);
  const [part] = [...upload.begun.keys()].filter((one) => !upload.parts.has(one)).toSorted((a, b) => b - a);
  expect(part, "begun, and not acknowledged").toBeDefined();
  // In the message its frames lie a little later, and so within the part still.
  const other = Buffer.from(bytes);
  other[(part! - 1) * PART]! ^= 1;
  const changed = fileOf(name, other, "changed");
  const { id } = upload;
  await life(async (page) => {
    await choose(page, name, changed);
    expect(await outcome(page, name)).toEqual([expect.stringContaining("not the file as it was begun")]);
    await page.getByRole("button", { name: `Dismiss ${name}` }).click();
    expect(sent.reused).toEqual([]);
    expect(upload).toMatchObject({ id, complete: false });
    // As a new document it has another message id.
    await begin(page, changed);
    expect(await outcome(page, name)).toEqual([]);
    await choose(page, name, path);
    expect(await outcome(page, name, 2)).toEqual([]);
  });
  expect(upload.id).toBe(id);
  expect(sent.reused).toEqual([]);
  expect(new Set(sent.messages).size).toBe(2);
  const contents = await opened(name);
  for (const content of [bytes, other]) expect(contents.some((one) => one.equals(content))).toBe(true);
  expect(contents).toHaveLength(2);
}, 300_000);

it(
  `killed at ${KILLS} random points, every upload ends byte-equal, and no frame is encrypted as two under one message id`,
  async () => {
    const seed = Number(process.env.COFFER_SEED ?? randomInt(2 ** 31));
    console.info(`kills of seed ${seed} (COFFER_SEED)`);
    const random = seeded(seed);
    let kills = 0;
    let uploads = 0;
    while (kills < KILLS) {
      const name = `killed-${++uploads}.bin`;
      const bytes = randomBytes(SIZE);
      const path = fileOf(name, bytes);
      upload = newUpload();
      for (let here = 0, stored = false; !stored; ) {
        const accepted = [...upload.parts.values()].reduce((sum, size) => sum + size, 0);
        const moments = Math.ceil((SIZE - accepted) / CHUNK) + OTHERS;
        const after =
          here < KILLS_EACH && kills < KILLS && !upload.complete ? Math.floor(random() * moments) : undefined;
        const { id, named, complete } = upload;
        const killed = await life(async (page) => {
          // Before its name was there nobody can be shown it: it is begun as another one.
          if (!complete) await (named ? choose(page, name, path) : begin(page, path));
          expect(await outcome(page, name), `seed ${seed}, ${name}`).toEqual([]);
          stored = true;
        }, after);
        if (killed) [kills, here] = [kills + 1, here + 1];
        expect(sent.reused, `seed ${seed}, ${name}`).toEqual([]);
        if (named) expect(upload.id, "it has gone on").toBe(id);
      }
      const [content, ...more] = await opened(name);
      expect(content?.equals(bytes), `seed ${seed}, ${name}`).toBe(true);
      expect(more).toEqual([]);
      sent.forget();
      rmSync(path);
    }
    expect(kills).toBe(KILLS);
    expect(needless).toEqual([]);
    // Of what was under way when it was killed much has been sent another time.
    expect(sent.again).toBeGreaterThan(KILLS);
  },
  40 * 60_000,
);

/** Numbers from 0 up to 1, the same for a seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
