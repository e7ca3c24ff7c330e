/** A sealed video in a media element of the page, by way of the app's Service Worker: it plays and seeks, and no more is fetched than it needs. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Locator, Page } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openEnrolled, useSystemAndBrowser } from "../system/index.ts";
import { webm } from "./webm.ts";

const running = useSystemAndBrowser();
/** MiB of the video as well: it has one a second. */
const SECONDS = 120;
const MIB = 2 ** 20;
const folder = mkdtempSync(join(tmpdir(), "coffer-media-"));
let page: Page;
/** Bytes of the document's content that came in answers, and how many times they were asked for. */
const fetched = { bytes: 0, requests: 0 };
/** Alters what the datastore answers from this byte of the content on. */
let spoilFrom = Number.POSITIVE_INFINITY;

beforeAll(async () => {
  page = await openEnrolled(running, "Ada");
  const path = join(folder, "holiday.webm");
  writeFileSync(path, await webm(page, SECONDS, MIB));
  await page.getByLabel("Files to seal").setInputFiles(path);
  await page.getByRole("button", { name: "Save holiday.webm" }).waitFor();
  await page.context().route("**/content", async (route) => {
    const response = await route.fetch();
    const body = await response.body();
    const [, start = 0] = /^bytes (\d+)-/.exec(response.headers()["content-range"] ?? "") ?? [];
    fetched.bytes += body.length;
    fetched.requests++;
    if (Number(start) + body.length > spoilFrom) body[body.length - 1]! ^= 1;
    await route.fulfill({ response, body });
  });
});
afterAll(async () => {
  await page?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function show(): Promise<Locator> {
  await page.getByRole("button", { name: "Open holiday.webm" }).click();
  const video = page.getByRole("dialog").locator("video");
  await video.waitFor();
  return video;
}
const close = () => page.getByRole("dialog").getByRole("button", { name: "Close" }).click();

/** The video's own properties, in Node's words. */
const read = <T>(video: Locator, name: string) =>
  video.evaluate((element, name) => (element as unknown as Record<string, unknown>)[name] as T, name);

/** Goes to a second and waits until the picture of it is there: its grey. */
const seek = (video: Locator, second: number) =>
  video.evaluate(async (element, second) => {
    const player = element as HTMLVideoElement;
    player.currentTime = second;
    await new Promise((resolve, reject) => {
      player.addEventListener("seeked", resolve, { once: true });
      player.addEventListener("error", () => reject(player.error), { once: true });
    });
    const context = new OffscreenCanvas(1, 1).getContext("2d")!;
    context.drawImage(player, 0, 0, 1, 1);
    return context.getImageData(0, 0, 1, 1).data[0]!;
  }, second);

/** Give or take what the video's range of levels makes of it. */
const greyOf = (second: number) => (second / SECONDS) * 255;

/** Seconds of the video, and so MiB, that the element holds. */
const held = (video: Locator) =>
  video.evaluate((element) => {
    const { buffered } = element as HTMLVideoElement;
    return Array.from({ length: buffered.length }, (_, at) => buffered.end(at) - buffered.start(at)).reduce(
      (sum, length) => sum + length,
      0,
    );
  });

it("plays and seeks in a document of which little more than that is fetched", async () => {
  const video = await show();
  await expect.poll(() => read<number>(video, "readyState"), { timeout: 20_000 }).toBeGreaterThanOrEqual(2);
  expect(await read<number>(video, "duration")).toBe(SECONDS);
  for (const second of [100, 30]) {
    const grey = await seek(video, second + 0.5);
    expect(Math.abs(grey - greyOf(second))).toBeLessThan(24);
  }
  expect(fetched.requests).toBeGreaterThan(1);
  // Beyond what it holds the frames that parts begin in, and pieces that were under way when it had enough: a tenth, where it was measured.
  expect(fetched.bytes).toBeLessThan((await held(video)) * MIB * 1.5);
  expect(fetched.bytes / MIB).toBeLessThan(SECONDS * 0.25);
  await video.evaluate(async (element) => {
    const player = element as HTMLVideoElement;
    player.currentTime = 0;
    player.muted = true;
    await player.play();
  });
  await expect.poll(() => read<number>(video, "currentTime"), { timeout: 20_000 }).toBeGreaterThan(1);
  await close();
});

it("plays a recording, and goes to any place of it", async () => {
  const seconds = 90;
  await page.getByLabel("Files to seal").setInputFiles({
    name: "memo.wav",
    mimeType: "audio/wav",
    buffer: wav(seconds),
  });
  await page.getByRole("button", { name: "Open memo.wav" }).click();
  const audio = page.getByRole("dialog").locator("audio");
  await expect.poll(() => audio.count()).toBe(1);
  await expect.poll(() => read<number>(audio, "readyState"), { timeout: 20_000 }).toBeGreaterThanOrEqual(2);
  expect(await read<number>(audio, "duration")).toBe(seconds);
  expect(await audio.getAttribute("aria-label")).toBe("memo.wav");
  await audio.evaluate(async (element) => {
    const player = element as HTMLAudioElement;
    player.muted = true;
    player.currentTime = 80;
    await player.play();
  });
  await expect.poll(() => read<number>(audio, "currentTime"), { timeout: 20_000 }).toBeGreaterThan(80.5);
  expect(await read(audio, "error")).toBe(null);
  await close();
  expect(await audio.count()).toBe(0);
});

/** A tone, 8,000 samples of 16 bits a second: RIFF with one channel of PCM. */
function wav(seconds: number): Buffer {
  const rate = 8000;
  const data = Buffer.alloc(2 * rate * seconds);
  for (let at = 0; at < rate * seconds; at++) data.writeInt16LE(8000 * Math.sin(at / 3), 2 * at);
  const header = Buffer.alloc(44);
  header.write("RIFF", 0);
  header.writeUInt32LE(36 + data.length, 4);
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16);
  // PCM, one channel.
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(2 * rate, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write("data", 36);
  header.writeUInt32LE(data.length, 40);
  return Buffer.concat([header, data]);
}

/** What comes of it when a video element of this page is given the address. */
const playedBy = (one: Page, address: string) =>
  one.evaluate(
    (url) =>
      new Promise<"played" | "refused">((resolve) => {
        const player = document.createElement("video");
        player.onerror = () => resolve("refused");
        player.onloadedmetadata = () => resolve("played");
        player.src = url;
      }),
    address,
  );

it("is played by the page's element alone, and by none when it is closed", async () => {
  const video = await show();
  const address = await read<string>(video, "src");
  const got = (url: string) => page.evaluate((url) => fetch(url).then(({ status }) => status), url);
  expect(await got(address)).toBe(403);
  const other = await page.context().newPage();
  const followed = await other.goto(address);
  expect(followed?.status()).toBe(403);
  await other.goto(running.system.appOrigin);
  expect(await playedBy(other, address)).toBe("refused");
  await other.close();
  await close();
  expect(await playedBy(page, address)).toBe("refused");
});

it("says that a part is not genuine, and shows nothing of it", async () => {
  // What is altered is not reached by what shows how long it is.
  spoilFrom = 60 * MIB;
  try {
    const video = await show();
    await video.evaluateAll((all) => {
      for (const element of all) (element as HTMLVideoElement).currentTime = 100;
    });
    const dialog = page.getByRole("dialog");
    await expect
      .poll(() => dialog.textContent(), { timeout: 20_000 })
      .toContain("Nothing more of it is shown.");
    expect(await video.count()).toBe(0);
    await close();
  } finally {
    spoilFrom = Number.POSITIVE_INFINITY;
  }
});
