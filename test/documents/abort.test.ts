/** Sealing that ends before its end, wherever that is: nothing half written stands in the list or stays in the bucket. */

import { truncateSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { changeRows, readRows, signIn, useSystemAndBrowser } from "../system/index.ts";
import { writeRandomFile } from "./content.ts";
import { leftovers } from "./leftovers.ts";
import { connectNode } from "./node-client.ts";

/** Three parts. */
const document = new Uint8Array(17 << 20).fill(9);
const NOTHING = { documents: [], uploads: [], objects: [] };

const { system, browsing } = useSystemAndBrowser();
let client: Awaited<ReturnType<typeof connectNode>>;
/** Called before each request and after its answer, with how many there have been. */
let onRequest: (moment: "before" | "after", count: number) => void = () => {};
let requests = 0;

beforeAll(async () => {
  client = await connectNode(system, "Ada", async (input, init) => {
    const count = ++requests;
    onRequest("before", count);
    const answer = await loopbackFetch(input, init);
    onRequest("after", count);
    return answer;
  });
  // A first document, so that the microservice has enrolled and requests can be counted.
  await client.documents.seal(document, account(), { name: "kept.bin" });
});
afterEach(() => {
  onRequest = () => {};
});
afterAll(async () => {
  client?.close();
});

const account = () => client.identity.accounts[0]!.id;
const listed = async () => (await client.documents.list([account()])).map(({ metadata }) => metadata?.name);

async function expectNothing(): Promise<void> {
  expect(await listed()).toEqual(["kept.bin"]);
  // The answer to a part that was under way may come after the upload is gone.
  await expect.poll(() => leftovers(system.edgeDir)).toEqual(NOTHING);
}

it.each([
  ["while its key is made", "key", 0],
  ["before the first byte", "sealing", 0],
  ["after the first part", "sealing", 1],
  ["before the last step", "finishing", 0],
] as const)("a signal %s ends it with the signal's reason, and nothing is left", async (_, step, minimum) => {
  const abort = new AbortController();
  const reason = new Error("changed my mind");
  const sealing = client.documents.seal(document, account(), {
    name: "half.bin",
    signal: abort.signal,
    onProgress: (progress) => {
      if (progress.step === step && progress.bytes >= minimum) abort.abort(reason);
    },
  });
  await expect(sealing).rejects.toBe(reason);
  await expectNothing();
});

it("a signal before or after any of its requests leaves nothing, or the whole document", async () => {
  requests = 0;
  const { id } = await client.documents.seal(document, account(), { name: "counted.bin" });
  const total = requests;
  await client.documents.remove(id);
  expect(total).toBeGreaterThanOrEqual(6);
  for (const moment of ["before", "after"] as const) {
    for (let count = 1; count <= total; count++) {
      const abort = new AbortController();
      requests = 0;
      onRequest = (now, reached) => {
        if (now === moment && reached === count) abort.abort();
      };
      const outcome = await client.documents
        .seal(document, account(), { name: "half.bin", signal: abort.signal })
        .then(
          ({ id }) => id,
          () => undefined,
        );
      onRequest = () => {};
      // The request of the abort may be one for keys ahead, which sealing does not wait for.
      if (outcome) await client.documents.remove(outcome);
      await expectNothing();
    }
  }
}, 300_000);

it("a source that fails in the middle leaves nothing", async () => {
  let given = 0;
  const broken = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      if (++given > 12) throw new Error("the disk is gone");
      controller.enqueue(new Uint8Array(1 << 20));
    },
  });
  await expect(client.documents.seal(broken, account(), { name: "half.bin" })).rejects.toThrow();
  await expectNothing();
});

it("a part that the datastore refuses leaves nothing", async () => {
  const refusing = await connectNode(system, "Ada", async (input, init) =>
    String(input).endsWith("/parts/2")
      ? Response.json(
          { code: "conflict" },
          { status: 409, headers: { "content-type": "application/problem+json" } },
        )
      : loopbackFetch(input, init),
  );
  await expect(refusing.documents.seal(document, account(), { name: "half.bin" })).rejects.toMatchObject({
    code: "conflict",
  });
  refusing.close();
  await expectNothing();
});

it("a page says of a file that was changed in the middle of its upload that it was, and nothing is left", async () => {
  const { page } = await browsing.open();
  await signIn(page, system, "Cleo");
  const path = join(system.dir, "moving.bin");
  await writeRandomFile(path, 96 << 20);
  await page.getByLabel("Files to seal").setInputFiles(path);
  await expect
    .poll(() => readRows(system.edgeDir, "parts").length, { timeout: 60_000, interval: 20 })
    .toBeGreaterThan(0);
  truncateSync(path, 1 << 20);
  await page.getByText("The file was changed while it was being sealed").waitFor();
  await expectNothing();
});

it("a page that is reloaded in the middle of an upload lists nothing of it, and the edge sweeps its parts", async () => {
  const { page } = await browsing.open();
  page.on("dialog", (dialog) => void dialog.accept());
  await signIn(page, system, "Bob");
  const path = join(system.dir, "half.bin");
  await writeRandomFile(path, 96 << 20);
  await page.getByLabel("Files to seal").setInputFiles(path);
  await expect
    .poll(() => readRows(system.edgeDir, "parts").length, { timeout: 60_000, interval: 20 })
    .toBeGreaterThan(0);
  await page.reload();
  await page.getByText("Nothing sealed yet").waitFor();
  expect(leftovers(system.edgeDir)).toMatchObject({ documents: ["pending"] });

  // A day later.
  await system.restart(() => {
    const day = 25 * 3600 * 1000;
    changeRows(system.edgeDir, "documents", `UPDATE documents SET touched = touched - ${day}`);
    // workerd keeps an alarm twice, in the object and in its scheduler (nanoseconds since 1970); both must say the same.
    const past = 10n ** 18n;
    changeRows(system.edgeDir, "_cf_ALARM", `UPDATE _cf_ALARM SET scheduled_time = ${past}`);
    changeRows(
      system.edgeDir,
      "_cf_METADATA",
      `UPDATE _cf_METADATA SET value = ${past} WHERE key = 1 AND value IS NOT NULL`,
    );
  });
  await expect.poll(() => leftovers(system.edgeDir), { timeout: 60_000 }).toEqual(NOTHING);
});
