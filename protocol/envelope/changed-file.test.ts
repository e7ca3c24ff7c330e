import { appendFileSync, mkdtempSync, openAsBlob, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { seal } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "coffer-blob-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, "file");
const SIZE = 9_000_000;

async function sealed(source: Blob): Promise<number> {
  const { subtle } = crypto;
  const dataKey = await subtle.importKey("raw", new Uint8Array(32), "HKDF", false, ["deriveKey"]);
  const message = seal(source, {
    subtle,
    random: (array) => crypto.getRandomValues(array),
    dataKey,
    context: {},
    encryptedDataKeys: [
      { providerId: "p", providerInfo: new Uint8Array(1), encryptedDataKey: new Uint8Array(1) },
    ],
  });
  let length = 0;
  for await (const chunk of message) length += chunk.length;
  return length;
}

async function fileAsBlob(): Promise<Blob> {
  writeFileSync(path, Buffer.alloc(SIZE, 1));
  return openAsBlob(path);
}

it.each([
  ["became shorter", () => truncateSync(path, SIZE / 2)],
  ["became longer", () => appendFileSync(path, "more")],
  ["is gone", () => rmSync(path)],
])("a File that %s since it was chosen is not sealed", async (_, change) => {
  expect(await sealed(await fileAsBlob())).toBeGreaterThan(SIZE);
  const chosen = await fileAsBlob();
  change();
  await expect(sealed(chosen)).rejects.toMatchObject({ code: "source-changed" });
});

it.each([
  ["less", SIZE / 2],
  ["more", SIZE + 1],
])(
  "a Blob that gives %s than its size is not sealed, whatever the platform says of it",
  async (_, length) => {
    class Changed extends Blob {
      override stream() {
        return new Blob([new Uint8Array(length)]).stream();
      }
    }
    await expect(sealed(new Changed([new Uint8Array(SIZE)]))).rejects.toMatchObject({
      code: "source-changed",
    });
  },
);
