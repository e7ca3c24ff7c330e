import { expect, it } from "vitest";
import type { Document } from "#web/browser/index.ts";
import { isNamed, pathsIn, zipName, zipOf, zipTime } from "./zip.ts";

const document = (name: string, folder?: string): Document => ({
  ...{ id: `id of ${folder} ${name}`, account: "a", created: new Date(0), sealedSize: 1 },
  metadata: { name, type: "text/plain", size: 3, ...(folder !== undefined && { folder }) },
});
const named = (...documents: Document[]) => documents.filter(isNamed);

it("has each in its folder, and no two under one name", () => {
  const documents = named(
    ...[document("a.txt"), document("A.txt"), document("a.txt", "one/two"), document("a.txt")],
    ...[document(".env"), document(".env"), document("none", "v1.0"), document("none", "v1.0")],
  );
  expect(pathsIn(documents)).toEqual([
    ...["a.txt", "A (2).txt", "one/two/a.txt", "a (3).txt"],
    ...[".env", ".env (2)", "v1.0/none", "v1.0/none (2)"],
  ]);
});

it("names thousands of one name in a moment, and none as another that has a number of its own", () => {
  const same = Array.from({ length: 20_000 }, () => document("a.txt"));
  const paths = pathsIn(named(document("A (2).txt"), ...same));
  expect(new Set(paths.map((path) => path.toLowerCase())).size).toBe(20_001);
  expect(paths.slice(0, 4)).toEqual(["A (2).txt", "a.txt", "a (3).txt", "a (4).txt"]);
});

it("says the nearest time that a ZIP can say", () => {
  expect([-8.64e15, -1, 0, 8.64e15].map((time) => zipTime(time).getFullYear())).toEqual([
    1980, 1980, 1980, 2107,
  ]);
  const within = new Date(2026, 1, 3).getTime();
  expect(zipTime(within).getTime()).toBe(within);
});

it("is named by its day", () => {
  expect(zipName(new Date(2026, 1, 3))).toBe("Coffer 2026-02-03.zip");
});

/** Opens what it is asked for; `open` counts those of which the stream was not read to its end. */
function coffer(broken?: string) {
  const state = { open: 0, most: 0, opened: 0 };
  const open = async (id: string) => {
    state.opened++;
    state.most = Math.max(state.most, ++state.open);
    let sent = false;
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull(controller) {
        if (id === broken) return controller.error(new Error("not complete"));
        if (!sent) controller.enqueue(new TextEncoder().encode("abc"));
        else {
          state.open--;
          controller.close();
        }
        sent = true;
      },
    });
    return { id, account: "a", name: "x", type: "text/plain", size: 3, stream, blob: async () => new Blob() };
  };
  return { open, state };
}
const options = () => ({ name: "z.zip", signal: new AbortController().signal, onProgress: () => {} });

it("opens one document at a time, and none before it is read", async () => {
  const { open, state } = coffer();
  const { stream } = await zipOf({ open }, named(document("a"), document("b"), document("c")), options());
  expect(state.opened).toBeLessThan(3);
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  expect(state).toEqual({ open: 0, most: 1, opened: 3 });
  // Local file headers and the end of the central directory (APPNOTE 4.3.7, 4.3.16).
  const text = new TextDecoder("latin1").decode(bytes);
  expect(text.split("PK\x03\x04")).toHaveLength(4);
  expect(text).toContain("PK\x05\x06");
});

it("errs, and does not end, where one is not complete", async () => {
  const second = document("b");
  const { open } = coffer(second.id);
  const { stream } = await zipOf({ open }, named(document("a"), second, document("c")), options());
  await expect(new Response(stream).arrayBuffer()).rejects.toThrow();
});
