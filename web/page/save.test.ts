import { afterEach, expect, it } from "vitest";
import { chooseTargets, type Saved } from "./save.ts";

/** A folder as the browser gives it, in memory; `made` has the files in their order. */
class Folder {
  readonly files = new Map<string, string>();
  readonly folders = new Map<string, Folder>();
  async getDirectoryHandle(name: string) {
    const folder = this.folders.get(name) ?? new Folder();
    this.folders.set(name, folder);
    return folder;
  }
  async getFileHandle(name: string, { create = false } = {}) {
    // Another one asks meanwhile.
    await Promise.resolve();
    if (!this.files.has(name) && !create) throw new DOMException("none", "NotFoundError");
    if (!this.files.has(name)) this.files.set(name, "");
    const write = (words: string) => void this.files.set(name, words);
    return {
      name,
      createWritable: async () => {
        let words = "";
        return new WritableStream<Uint8Array>({
          write(chunk) {
            words += new TextDecoder().decode(chunk);
          },
          close: () => write(words),
        });
      },
    };
  }
  async removeEntry(name: string) {
    this.files.delete(name);
  }
}

const saved = (name: string, words: string): Saved => ({
  ...{ name, blob: async () => new Blob([words]) },
  stream: new Blob([words]).stream() as Saved["stream"],
});
afterEach(() => void Reflect.deleteProperty(globalThis, "showDirectoryPicker"));
async function targets() {
  const top = new Folder();
  Object.assign(globalThis, { showDirectoryPicker: async () => top });
  return { top, target: await chooseTargets() };
}
const { signal } = new AbortController();

it("makes nothing in a folder before a document has its turn", async () => {
  const { top, target } = await targets();
  const all = ["a.txt", "b.txt"].map((name) => target({ name, folder: "one", size: 3 }));
  expect(top.folders.size + top.files.size).toBe(0);
  await all[1]?.(saved("b.txt", "bbb"), signal);
  expect([...(top.folders.get("one")?.files ?? [])]).toEqual([["b.txt", "bbb"]]);
});

it("gives documents of one name that are saved at once a name each", async () => {
  const { top, target } = await targets();
  const words = ["1", "2", "3", "4"];
  const names = ["a.txt", "a.txt", "a (2).txt", "a.txt"];
  await Promise.all(names.map((name, at) => target({ name, size: 1 })(saved(name, words[at] ?? ""), signal)));
  expect(Object.fromEntries(top.files)).toEqual({
    ...{ "a.txt": "1", "a (2).txt": "2", "a (2) (2).txt": "3", "a (3).txt": "4" },
  });
});

it("writes over nothing that is there, and gives what failed its name again", async () => {
  const { top, target } = await targets();
  top.files.set("a.txt", "before");
  for (const each of ["1", "2"]) await target({ name: "a.txt", size: 1 })(saved("a.txt", each), signal);
  expect(Object.fromEntries(top.files)).toEqual({ "a.txt": "before", "a (2).txt": "1", "a (3).txt": "2" });
  const broken = new ReadableStream({ pull: (controller) => controller.error(new Error("not complete")) });
  const fails = target({ name: "a.txt", size: 1 })({ ...saved("a.txt", ""), stream: broken }, signal);
  await expect(fails).rejects.toThrow("not complete");
  await target({ name: "a.txt", size: 1 })(saved("a.txt", "3"), signal);
  expect([...top.files.keys()]).toEqual(["a.txt", "a (2).txt", "a (3).txt", "a (4).txt"]);
});

it("asks for each name that is taken once, however many documents have it", async () => {
  const { top, target } = await targets();
  let asked = 0;
  const { getFileHandle } = top;
  top.getFileHandle = (name, options) => {
    if (!options?.create) asked++;
    return getFileHandle.call(top, name, options);
  };
  for (let at = 0; at < 50; at++) await target({ name: "a.txt", size: 1 })(saved("a.txt", "1"), signal);
  expect(top.files.size).toBe(50);
  expect(asked).toBe(50);
});

it("leaves nothing of one that fails, and goes on with the next", async () => {
  const { top, target } = await targets();
  const broken = new ReadableStream({ pull: (controller) => controller.error(new Error("not complete")) });
  const fails = target({ name: "a.txt", size: 1 })({ ...saved("a.txt", ""), stream: broken }, signal);
  await expect(fails).rejects.toThrow("not complete");
  expect(top.files.size).toBe(0);
  await target({ name: "a.txt", size: 1 })(saved("a.txt", "1"), signal);
  expect([...top.files]).toEqual([["a.txt", "1"]]);
});
