/** Uploads that stop on their way and go on: byte for byte, and with no frame encrypted twice with other content under one message id. */

import { createHash, randomBytes, randomInt } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { parseHeader } from "#protocol/envelope/index.ts";
import { CofferError } from "#protocol/error.ts";
import { changeRows, signIn, useSystemAndBrowser } from "../system/index.ts";
import { leftovers } from "./leftovers.ts";
import { bytesOf, connectNode, type Recorded } from "./node-client.ts";

/** Parts of the datastore. */
const PART = 8 << 20;
/** Four parts. */
const SIZE = 3 * PART + 12_345;

const { system, browsing } = useSystemAndBrowser();
let client: Awaited<ReturnType<typeof connectNode>>;
let onRequest: (moment: "before" | "after", path: string) => void = () => {};
beforeAll(async () => {
  client = await connectNode(system, "Ada", async (input, init) => {
    const { pathname } = new URL(String(input));
    onRequest("before", pathname);
    const answer = await loopbackFetch(input, init);
    onRequest("after", pathname);
    return answer;
  });
});
afterAll(() => client?.close());

const account = () => client.identity.accounts[0]!.id;
const partsOf = (sent: Recorded[]) => sent.filter(({ path }) => path.includes("/parts/"));
const pause = () => new CofferError("paused");
/** The ciphertext of each part that was ever sent of a document; throws where one part was sent as two. */
function ciphertexts(sent: Recorded[]): Map<string, string> {
  const known = new Map<string, string>();
  for (const { path, body } of partsOf(sent)) {
    const digest = createHash("sha256").update(body).digest("hex");
    expect(known.get(path) ?? digest, path).toBe(digest);
    known.set(path, digest);
  }
  return known;
}

describe("in Node", () => {
  it("stopped at random 50 times, uploads end byte-equal and no part of one was ever another", async () => {
    let stops = 0;
    while (stops < 50) {
      const plain = randomBytes(PART + 500_000);
      const source = new Blob([plain]);
      client.sent.length = 0;
      let id: string | undefined;
      for (let here = 0; id === undefined; here++) {
        const abort = new AbortController();
        const after = here < 6 ? randomInt(0, 2 * 2) : Number.POSITIVE_INFINITY;
        let requests = 0;
        onRequest = (_moment, path) => {
          if (path.includes("/parts/") && requests++ === after) abort.abort(pause());
        };
        const options = { name: "stopped.bin", resumable: true, signal: abort.signal };
        id = await client.documents.seal(source, account(), options).then(
          (sealed) => sealed.id,
          (error: unknown) => {
            expect(error).toMatchObject({ code: "paused" });
            stops++;
            return undefined;
          },
        );
      }
      onRequest = () => {};
      ciphertexts(client.sent);
      const opened = await client.documents.open(id);
      expect(Buffer.compare(plain, await bytesOf(opened.stream))).toBe(0);
      await client.documents.remove(id);
    }
    await expect.poll(() => leftovers(system.edgeDir)).toEqual({ documents: [], uploads: [], objects: [] });
  }, 300_000);

  it("what the datastore has is not sent again", async () => {
    const source = new Blob([randomBytes(SIZE)]);
    const abort = new AbortController();
    client.sent.length = 0;
    onRequest = (moment, path) => {
      if (moment === "after" && path.endsWith("/parts/3")) abort.abort(pause());
    };
    const first = client.documents.seal(source, account(), { resumable: true, signal: abort.signal });
    await expect(first).rejects.toMatchObject({ code: "paused" });
    onRequest = () => {};
    const [upload] = await client.documents.unfinished([account()]);
    expect(upload).toMatchObject({ account: account(), metadata: { size: SIZE } });
    expect(upload!.sent).toBeGreaterThanOrEqual(PART);
    const before = partsOf(client.sent).length;
    const told: number[] = [];
    const sealed = await client.documents.resume(upload!.id, source, {
      onProgress: ({ bytes }) => told.push(bytes),
    });
    expect(partsOf(client.sent).length - before).toBeLessThanOrEqual(2);
    expect(Math.max(...told)).toBe(SIZE);
    ciphertexts(client.sent);
    expect(await client.documents.unfinished([account()])).toEqual([]);
    await client.documents.remove(sealed.id);
  }, 60_000);

  it.each([
    ["in what was sent", 5],
    ["in what was not acknowledged", SIZE - 1],
  ])(
    "a file of the same name, size and time with one other byte %s never goes on under the old message id",
    async (_, at) => {
      const plain = randomBytes(SIZE);
      const file = (bytes: Uint8Array<ArrayBuffer>) => new File([bytes], "same.bin", { lastModified: 5 });
      const abort = new AbortController();
      client.sent.length = 0;
      onRequest = (moment, path) => {
        // All four were made, none was taken for sure.
        if (moment === "before" && path.endsWith("/parts/4")) abort.abort(pause());
      };
      const options = { resumable: true, signal: abort.signal };
      await expect(client.documents.seal(file(plain), account(), options)).rejects.toMatchObject({
        code: "paused",
      });
      onRequest = () => {};
      const [upload] = await client.documents.unfinished([account()]);
      const other = new Uint8Array(plain);
      other[at]! ^= 1;
      await expect(client.documents.resume(upload!.id, file(other))).rejects.toMatchObject({
        code: "another-file",
      });
      await expect(client.documents.resume(upload!.id, file(other.slice(1)))).rejects.toMatchObject({
        code: "another-file",
      });
      ciphertexts(client.sent);
      // The right one still goes on; as a new document the other one has another message id.
      const sealed = await client.documents.resume(upload!.id, file(plain));
      const anew = await client.documents.seal(file(other), account(), { resumable: true });
      const ids = [sealed.id, anew.id].map((id) => {
        const first = client.sent.find(({ path }) => path.endsWith(`${id}/parts/1`));
        return Buffer.from(parseHeader(first!.body)!.messageId).toString("hex");
      });
      expect(new Set(ids).size).toBe(2);
      for (const { id } of [sealed, anew]) await client.documents.remove(id);
    },
    60_000,
  );

  it("another microservice of the same user cannot go on with it, and says so", async () => {
    const abort = new AbortController();
    onRequest = (moment, path) => {
      if (moment === "before" && path.endsWith("/parts/3")) abort.abort(pause());
    };
    const source = new Blob([randomBytes(SIZE)]);
    const options = { resumable: true, signal: abort.signal };
    await expect(client.documents.seal(source, account(), options)).rejects.toMatchObject({ code: "paused" });
    onRequest = () => {};
    const [upload] = await client.documents.unfinished([account()]);
    const elsewhere = await connectNode(system, "Ada");
    expect(await elsewhere.documents.unfinished([account()])).toEqual([]);
    await expect(elsewhere.documents.resume(upload!.id, source)).rejects.toMatchObject({
      code: "not-resumable",
    });
    await elsewhere.documents.remove(upload!.id);
    elsewhere.close();
    await expect(client.documents.resume(upload!.id, source)).rejects.toMatchObject({ code: "not-found" });
    // Sealed again as if nothing had been, it is a new document.
    const { id } = await client.documents.seal(source, account(), { resumable: true });
    expect(id).not.toBe(upload!.id);
    await client.documents.remove(id);
  }, 60_000);
});

describe("where the edge refuses a part on the way", () => {
  /** By how much the client's clock is behind, and where it stands if it does. Milliseconds. */
  let behind = 0;
  let stands: number | undefined;
  /** What becomes of a request for a part. */
  let pass: (part: number, send: () => Promise<Response>, token: string) => Promise<Response>;
  /** Whether the next token is shown with another signature. */
  let spoilt = false;
  let refused: [part: number, code: string][] = [];
  let eve: typeof client;
  beforeAll(async () => {
    const through: typeof fetch = async (input, init) => {
      const { pathname } = new URL(String(input));
      const headers = { ...(init?.headers as Record<string, string>) };
      const token = headers.authorization?.replace("DPoP ", "") ?? "";
      if (spoilt && token) {
        headers.authorization = `DPoP ${token.slice(0, -86)}${"A".repeat(86)}`;
        spoilt = false;
      }
      const send = () => loopbackFetch(input, { ...init, headers });
      const [, part] = /\/parts\/(\d+)$/.exec(pathname) ?? [];
      const answer = part ? await pass(Number(part), send, token) : await send();
      if (answer.status === 401) behind = 0;
      if (part && answer.status === 401) refused.push([Number(part), (await answer.clone().json()).code]);
      return answer;
    };
    eve = await connectNode(system, "Eve", through, { now: () => stands ?? Date.now() - behind });
  });
  afterAll(() => eve?.close());
  const familyEnds = (at: number) =>
    expect(
      changeRows(system.edgeDir, "families", `UPDATE families SET expires = ${Math.floor(at / 1000)}`),
    ).toBeGreaterThan(0);
  const endOf = (token: string) => {
    const { exp } = JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString());
    return exp * 1000;
  };

  it.each<[string, string, () => Promise<void>]>([
    [
      "its proof has come before, as when an answer is lost and the request repeated",
      "invalid-proof",
      async () => {
        let again = true;
        pass = async (part, send) => {
          if (part !== 2 || !again) return send();
          again = false;
          expect((await send()).status).toBe(200);
          return send();
        };
      },
    ],
    [
      "its proof is too old",
      "invalid-proof",
      async () => {
        let before = true;
        pass = async (part, send) => {
          if (part === 2 && before) [behind, before] = [400_000, false];
          return send();
        };
      },
    ],
    [
      "its token expires on the way",
      "invalid-token",
      async () => {
        // The sign-in is about to end when the token is given, and its end is put off then.
        const ends = Date.now() + 10_000;
        familyEnds(ends);
        spoilt = true;
        await eve.documents.listed(eve.account());
        familyEnds(Date.now() + 24 * 3600_000);
        // The client takes it for good.
        stands = Date.now();
        pass = async (part, send, token) => {
          if (part === 1 || endOf(token) > ends) return send();
          await expect.poll(() => Date.now(), { timeout: 20_000 }).toBeGreaterThan(ends + 1000);
          stands = undefined;
          return send();
        };
      },
    ],
  ])(
    "where %s, the part is sent again, and the document ends byte-equal",
    async (_, code, begin) => {
      refused = [];
      eve.sent.length = 0;
      await begin();
      const plain = randomBytes(SIZE);
      const sealing = eve.documents.seal(new Blob([plain]), eve.account(), { name: "refused.bin" });
      await expect(sealing).resolves.toMatchObject({ id: expect.any(String) });
      const { id } = await sealing;
      expect(refused.length).toBeGreaterThan(0);
      for (const [part, why] of refused) {
        expect(why).toBe(code);
        expect(partsOf(eve.sent).filter(({ path }) => path.endsWith(`/parts/${part}`))).toHaveLength(2);
      }
      // One ciphertext of each part, whoever asked for it again.
      expect(ciphertexts(eve.sent).size).toBe(4);
      const opened = await eve.documents.open(id);
      expect(Buffer.compare(plain, await bytesOf(opened.stream))).toBe(0);
      await eve.documents.remove(id);
    },
    120_000,
  );
});

/** Parts that the datastore has accepted from this page, and those that found no network. */
function watchParts(page: Page): { accepted: string[]; lost: string[] } {
  const watched = { accepted: [] as string[], lost: [] as string[] };
  const partOf = (url: string) => /\/documents\/[^/]+\/parts\/\d+$/.exec(url)?.[0];
  page.on("response", (response) => {
    const part = partOf(response.url());
    if (part && response.ok()) watched.accepted.push(part);
  });
  page.on("requestfailed", (request) => {
    const part = partOf(request.url());
    if (part) watched.lost.push(part);
  });
  return watched;
}

/** SHA-256 of what the one document of this user has, by another microservice. */
async function digestStored(user: string, name: string): Promise<string> {
  const other = await connectNode(system, user);
  try {
    const all = await other.documents.list([other.identity.accounts[0]!.id]);
    const [document] = all.filter(({ metadata }) => metadata?.name === name);
    const { stream } = await other.documents.open(document!.id);
    return createHash("sha256")
      .update(await bytesOf(stream))
      .digest("hex");
  } finally {
    other.close();
  }
}

/** Drops a file that the origin has of its own, whose handle is one of the same kind as a dropped file's. Answers the SHA-256 of it. */
const dropOwn = (page: Page, name: string, mib: number) =>
  page.evaluate(
    async ([name, mib]) => {
      const handle = await (await navigator.storage.getDirectory()).getFileHandle(name, { create: true });
      const writable = await handle.createWritable();
      const block = new Uint8Array(1 << 20);
      for (let written = 0; written < mib; written++) {
        for (let at = 0; at < block.length; at += 1 << 16)
          crypto.getRandomValues(block.subarray(at, at + (1 << 16)));
        await writable.write(block);
      }
      await writable.close();
      Object.assign(DataTransferItem.prototype, { getAsFileSystemHandle: async () => handle });
      const file = await handle.getFile();
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(file);
      document.querySelector("main")!.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
      const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
      return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    },
    [name, mib] as const,
  );

/** Names of the files whose handles the page keeps. */
const keptFiles = (page: Page) =>
  page.evaluate(async () => {
    if (!(await indexedDB.databases()).some(({ name }) => name === "coffer-files")) return [];
    const settled = <T>(request: IDBRequest<T>) =>
      new Promise<T>((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const database = await settled(indexedDB.open("coffer-files"));
    const store = database.transaction("handles").objectStore("handles");
    const kept: { handle: FileSystemHandle }[] = await settled(store.getAll());
    database.close();
    return kept.map(({ handle }) => handle.name);
  });

describe("on the page in Chromium", () => {
  it("an upload that a reload has stopped goes on when the person chooses the file again, and no other file", async () => {
    const { page } = await browsing.open();
    page.on("dialog", (dialog) => void dialog.accept());
    await signIn(page, system, "Bob");
    const [path, wrong] = ["half.bin", "wrong.bin"].map((name) => join(system.dir, name)) as [string, string];
    const bytes = randomBytes(64 << 20);
    writeFileSync(path, bytes);
    const other = Buffer.from(bytes);
    other[0]! ^= 1;
    writeFileSync(wrong, other);
    const parts: string[] = [];
    page.on("requestfinished", (request) => {
      const found = /\/documents\/[^/]+\/parts\/\d+$/.exec(request.url());
      if (found && request.method() === "PUT") parts.push(found[0]);
    });
    await page.getByLabel("Files to seal").setInputFiles(path);
    await expect.poll(() => parts.length, { timeout: 60_000, interval: 20 }).toBeGreaterThan(2);
    await page.reload();
    await page.getByText("Choose the file again to go on").waitFor({ timeout: 60_000 });
    const choose = async (file: string) => {
      const [chooser] = await Promise.all([
        page.waitForEvent("filechooser"),
        page.getByRole("button", { name: "Choose file: half.bin" }).click(),
      ]);
      await chooser.setFiles(file);
    };
    await choose(wrong);
    const refused = () => page.getByText("This is not the file as it was begun").count();
    await expect.poll(refused, { timeout: 60_000 }).toBe(1);
    // What was sent stays when the failure is dismissed.
    await page.getByRole("button", { name: "Dismiss half.bin" }).click();
    const before = parts.length;
    await choose(path);
    const row = page.locator("coffer-document", { hasText: "half.bin" });
    await expect.poll(() => row.count(), { timeout: 60_000 }).toBe(1);
    // Eight parts and the last bytes: what was acknowledged before is not among them.
    expect(parts.length - before).toBeLessThanOrEqual(9 - 2);
    const bob = await connectNode(system, "Bob");
    const [document] = await bob.documents.list([bob.identity.accounts[0]!.id]);
    const opened = await bob.documents.open(document!.id);
    expect(Buffer.compare(bytes, await bytesOf(opened.stream))).toBe(0);
    bob.close();
  }, 180_000);

  it("an upload is paused and gone on with, and one that is removed leaves nothing", async () => {
    const { page } = await browsing.open();
    page.on("dialog", (dialog) => void dialog.accept());
    await signIn(page, system, "Cleo");
    const path = join(system.dir, "paused.bin");
    writeFileSync(path, randomBytes(64 << 20));
    await page.getByLabel("Files to seal").setInputFiles(path);
    await page.getByRole("button", { name: "Pause paused.bin" }).click({ timeout: 60_000 });
    await page.getByText("Paused. What was sent is kept for a day.").waitFor();
    await page.getByRole("button", { name: "Go on: paused.bin" }).click();
    await page.locator("coffer-document", { hasText: "paused.bin" }).waitFor({ timeout: 60_000 });
    await page.getByLabel("Files to seal").setInputFiles(path);
    await page.getByRole("button", { name: "Pause paused.bin" }).click({ timeout: 60_000 });
    await page.getByRole("button", { name: "Remove paused.bin" }).click();
    await expect
      .poll(() => leftovers(system.edgeDir).documents, { timeout: 30_000 })
      .not.toContain("pending");
  }, 180_000);

  it("an upload that loses the network goes on by itself, and the page says what becomes of it where that takes long", async () => {
    const { page, context } = await browsing.open();
    await signIn(page, system, "Dan");
    const path = join(system.dir, "lost.bin");
    const bytes = randomBytes(96 << 20);
    writeFileSync(path, bytes);
    const { accepted, lost } = watchParts(page);
    await page.getByLabel("Files to seal").setInputFiles(path);
    const untilAccepted = (count: number) =>
      expect.poll(() => accepted.length, { timeout: 60_000, interval: 20 }).toBeGreaterThanOrEqual(count);
    await untilAccepted(2);
    await context.setOffline(true);
    await expect.poll(() => lost.length, { timeout: 30_000, interval: 20 }).toBeGreaterThan(0);
    await context.setOffline(false);
    await untilAccepted(accepted.length + 2);
    expect(await page.getByRole("alert").allTextContents()).toEqual([]);
    // Until no try is left.
    await context.setOffline(true);
    const alerts = () => page.locator("coffer-transfer").getByRole("alert").allTextContents();
    await expect
      .poll(alerts, { timeout: 90_000 })
      .toEqual([
        "The server cannot be reached. What was sent is kept for a day, and it goes on by itself when the server is there again.",
      ]);
    await context.setOffline(false);
    const row = page.locator("coffer-document", { hasText: "lost.bin" });
    await expect.poll(() => row.count(), { timeout: 60_000 }).toBe(1);
    expect(new Set(accepted).size, "no part is accepted twice").toBe(accepted.length);
    expect(await digestStored("Dan", "lost.bin")).toBe(createHash("sha256").update(bytes).digest("hex"));
  }, 240_000);

  it("an upload goes on by itself where the server was away and the network was not", async () => {
    const { page, context } = await browsing.open();
    await signIn(page, system, "Eva");
    const path = join(system.dir, "away.bin");
    const bytes = randomBytes(48 << 20);
    writeFileSync(path, bytes);
    const { accepted } = watchParts(page);
    await page.getByLabel("Files to seal").setInputFiles(path);
    await expect.poll(() => accepted.length, { timeout: 60_000, interval: 20 }).toBeGreaterThan(0);
    const parts = /\/documents\/[^/]+\/parts\/\d+$/;
    await context.route(parts, (route) => route.abort("connectionrefused"));
    const alerts = () => page.locator("coffer-transfer").getByRole("alert").allTextContents();
    await expect
      .poll(alerts, { timeout: 90_000 })
      .toEqual([
        "The server cannot be reached. What was sent is kept for a day, and it goes on by itself when the server is there again.",
      ]);
    await context.unroute(parts);
    const row = page.locator("coffer-document", { hasText: "away.bin" });
    await expect.poll(() => row.count(), { timeout: 90_000 }).toBe(1);
    expect(new Set(accepted).size, "no part is accepted twice").toBe(accepted.length);
    expect(await digestStored("Eva", "away.bin")).toBe(createHash("sha256").update(bytes).digest("hex"));
  }, 300_000);

  it("what was dropped goes on after a reload by one press, and by no other file; its handle goes with the upload, or the sign-in", async () => {
    const { page } = await browsing.open();
    page.on("dialog", (dialog) => void dialog.accept());
    await signIn(page, system, "Eli");
    const { accepted } = watchParts(page);
    const goOn = (name: string) => page.getByRole("button", { name: `Go on: ${name}` });
    const stopped = async (name: string, mib: number) => {
      const before = accepted.length;
      const digest = await dropOwn(page, name, mib);
      await expect.poll(() => accepted.length, { timeout: 60_000, interval: 20 }).toBeGreaterThan(before);
      expect(await keptFiles(page)).toEqual([name]);
      await page.reload();
      await expect.poll(() => goOn(name).count(), { timeout: 60_000 }).toBe(1);
      return digest;
    };
    const digest = await stopped("dropped.bin", 48);
    await goOn("dropped.bin").click();
    const row = page.locator("coffer-document", { hasText: "dropped.bin" });
    await expect.poll(() => row.count(), { timeout: 60_000 }).toBe(1);
    expect(await digestStored("Eli", "dropped.bin")).toBe(digest);
    expect(new Set(accepted).size, "no part is accepted twice").toBe(accepted.length);
    await expect.poll(() => keptFiles(page)).toEqual([]);

    await stopped("changed.bin", 48);
    await page.evaluate(async () => {
      const handle = await (await navigator.storage.getDirectory()).getFileHandle("changed.bin");
      const writable = await handle.createWritable({ keepExistingData: true });
      const [first] = new Uint8Array(await (await handle.getFile()).slice(0, 1).arrayBuffer());
      await writable.write({ type: "write", position: 0, data: new Uint8Array([first! ^ 1]) });
      await writable.close();
    });
    await goOn("changed.bin").click();
    const refused = page.getByText("This is not the file as it was begun");
    await expect.poll(() => refused.count(), { timeout: 60_000 }).toBe(1);
    const choose = page.getByRole("button", { name: "Choose file: changed.bin" });
    await expect.poll(() => choose.count(), { timeout: 30_000 }).toBe(1);
    expect(await keptFiles(page)).toEqual([]);

    await stopped("left.bin", 48);
    await page.getByRole("button", { name: "Sign out", exact: true }).first().click();
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    await expect.poll(() => keptFiles(page)).toEqual([]);
  }, 240_000);
});
