/** What an app's page keeps in IndexedDB, in Chromium: of several vaults, each has its own. */

import { createServer, type Server } from "node:http";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";
import { launchChromium } from "../chromium/index.ts";
import { listen } from "../support/ports.ts";

type Stores = typeof import("#web/browser/lists.ts") &
  typeof import("#web/browser/store.ts") &
  typeof import("#web/browser/upload-store.ts");
const STORES = `export * from "./lists.ts"; export * from "./store.ts"; export * from "./upload-store.ts";`;
const [ONE, OTHER] = ["https://one.example", "https://other.example"];
let server: Server;
let close: () => Promise<void>;
let page: Awaited<ReturnType<Awaited<ReturnType<typeof launchChromium>>["browser"]["newPage"]>>;

beforeAll(async () => {
  const resolveDir = fileURLToPath(new URL("../../web/browser", import.meta.url));
  const { outputFiles } = await build({
    stdin: { contents: STORES, resolveDir, loader: "ts" },
    ...({ bundle: true, format: "iife", globalName: "stores", target: "es2023", write: false } as const),
  });
  server = createServer(({ url }, response) => {
    const page = '<!doctype html><script src="/stores.js"></script>';
    const [type, body] =
      url === "/stores.js" ? ["text/javascript", outputFiles[0]?.text] : ["text/html", page];
    response.setHeader("content-type", type ?? "").end(body);
  });
  const port = await listen(server);
  const chromium = await launchChromium();
  ({ close } = chromium);
  page = await chromium.browser.newPage();
  await page.goto(`http://app.localhost:${port}/`);
});
afterAll(async () => {
  await close?.();
  server?.close();
});

it("signed out of one vault, keeps no list of it, and those of another", async () => {
  const kept = await page.evaluate(
    async ([one, other]) => {
      const { listsOf, createSignInStore } = (globalThis as unknown as { stores: Stores }).stores;
      const bytes = (at: number) => async () => new Uint8Array([at]);
      for (const vault of [one, other])
        for (const account of ["a", "b"]) await listsOf(vault).write(account, bytes(account.length));
      const all = async () =>
        Promise.all([one, other].flatMap((vault) => ["a", "b"].map((of) => listsOf(vault).read(of))));
      const before = await all();
      await createSignInStore().clear(one);
      return [before, await all()].map((lists) => lists.map((list) => list !== undefined));
    },
    [ONE, OTHER] as const,
  );
  expect(kept).toEqual([
    [true, true, true, true],
    [false, false, true, true],
  ]);
});

it("has one tab alone seal the copies of an account again, and says nothing to the other", async () => {
  const done = await page.evaluate(async (one) => {
    const { listsOf } = (globalThis as unknown as { stores: Stores }).stores;
    const [tab, other] = [listsOf(one), listsOf(one)];
    const done: string[] = [];
    const work = (name: string) => async () => void done.push(name);
    await tab.alone("a", async () => {
      await other.alone("a", work("the same account"));
      await other.alone("b", work("another account"));
      // Keeping the list is another matter.
      await other.write("a", async () => {
        done.push("kept");
        return undefined;
      });
    });
    await other.alone("a", work("later"));
    return done;
  }, ONE);
  expect(done).toEqual(["another account", "kept", "later"]);
});

it("M18 tells other tabs what was sent, and of what was given up that it is gone; nobody's old row takes that back", async () => {
  const told = await page.evaluate(async (one) => {
    const { createUploadStore } = (globalThis as unknown as { stores: Stores }).stores;
    const [tab, other] = [createUploadStore(one), createUploadStore(one)];
    const heard: string[] = [];
    other.onChange?.((sent) => heard.push(sent ?? "changed"));
    other.onWake?.(() => heard.push("wake"));
    const upload = (id: string) => ({
      ...{ id, account: "a", created: 1, size: 4, metadata: new Uint8Array(1), asked: true as const },
      content: { messageId: "m", headerDigest: "h" },
    });
    const until = async (count: number) => {
      while (heard.length < count) await new Promise((resolve) => setTimeout(resolve));
      return heard.splice(0);
    };
    for (const id of ["sent", "over"]) await tab.add("t/ada", upload(id), new Blob(["text"]));
    const added = (await until(4)).toSorted();
    await other.update("t/ada", "over", { cancelled: true });
    await tab.update("t/ada", "over", { refused: "forbidden" });
    const kept = (await tab.rows("t/ada")).find(({ id }) => id === "over");
    for (const id of ["sent", "over"]) await tab.remove("t/ada", id, "sent");
    // By who has not deleted it there.
    const stay = (await tab.rows("t/ada")).map(({ id }) => id);
    await tab.remove("t/ada", "over");
    return { added, kept: [kept?.cancelled, kept?.refused], stay, removed: await until(3) };
  }, ONE);
  expect(told).toEqual({
    added: ["changed", "changed", "wake", "wake"],
    kept: [true, "forbidden"],
    stay: ["over"],
    removed: ["changed", "sent", "changed"],
  });
});

it("M18 keeps keys of documents that wait, without those that have ended, for one person in one vault", async () => {
  const kept = await page.evaluate(
    async ([one, other]) => {
      const { createUploadStore } = (globalThis as unknown as { stores: Stores }).stores;
      const [store, apart] = [createUploadStore(one), createUploadStore(other)];
      await store.keepKeys("t/ada", "a", ["first", "second", "third"]);
      await store.keepKeys("t/ada", "b", ["first"]);
      await store.keepKeys("t/bob", "a", ["first"]);
      await apart.keepKeys("t/ada", "a", ["first"]);
      await store.keepKeys("t/ada", "a", ["fourth"], ["first", "third"]);
      const of = async () => [
        (await store.keys("t/ada", "a")).toSorted(),
        await store.keys("t/ada", "b"),
        await store.keys("t/bob", "a"),
        await apart.keys("t/ada", "a"),
      ];
      const before = await of();
      await store.clear("t/ada");
      return [before, await of()];
    },
    [ONE, OTHER] as const,
  );
  expect(kept).toEqual([
    [["fourth", "second"], ["first"], ["first"], ["first"]],
    [[], [], ["first"], ["first"]],
  ]);
});
