import { expect, it } from "vitest";
import { type Dropped, filesIn, unreadable } from "./drop.ts";

type Tree = { [name: string]: string | Tree };
/** Files whose words are this cannot be read. */
const LOCKED = "locked";

function entryOf(name: string, what: string | Tree): FileSystemEntry {
  const file = (resolve: (file: File) => void, reject: (error: unknown) => void) =>
    what === LOCKED
      ? reject(new DOMException("locked", "NotReadableError"))
      : resolve(new File([name], name));
  const createReader = () => {
    const batches = [Object.entries(what as Tree).map(([each, of]) => entryOf(each, of)), []];
    return {
      readEntries: (resolve: (entries: FileSystemEntry[]) => void, reject: (error: unknown) => void) =>
        LOCKED in (what as Tree) && name === LOCKED
          ? reject(new DOMException("locked", "NotReadableError"))
          : resolve(batches.shift() ?? []),
    };
  };
  return { name, isDirectory: typeof what !== "string", file, createReader } as unknown as FileSystemEntry;
}
const folder = (name: string, tree: Tree): Dropped => ({ entry: entryOf(name, tree), file: null });

it("has every file with the folder that it was in", async () => {
  const file = new File(["x"], "x.txt");
  const { files, failures } = await filesIn([
    { entry: entryOf("x.txt", "x"), file },
    folder("top", { "a.txt": "a", deep: { "b.txt": "b" } }),
  ]);
  expect(files.map(({ file, folder }) => [folder, file.name])).toEqual([
    ["", "x.txt"],
    ["top", "a.txt"],
    ["top/deep", "b.txt"],
  ]);
  expect(failures).toEqual([]);
});

it("leaves out what cannot be read, tells it, and takes the rest", async () => {
  const { files, failures } = await filesIn([
    folder("top", { "a.txt": "a", "secret.txt": LOCKED, locked: { locked: "x" }, "z.txt": "z" }),
    folder("other", { "b.txt": "b" }),
  ]);
  expect(files.map(({ file }) => file.name)).toEqual(["a.txt", "z.txt", "b.txt"]);
  expect(failures).toHaveLength(2);
});

it("says of all that cannot be read in one error how many there are, and why the first is not", async () => {
  const { failures } = await filesIn([
    folder("top", Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`${at}.txt`, LOCKED]))),
  ]);
  expect(unreadable(failures)).toMatchObject({
    code: "source-changed",
    message: "300 files or folders could not be read (NotReadableError). Nothing of them was sealed.",
  });
  expect(unreadable(failures.slice(0, 1)).message).toMatch(/^A file or folder could not be read/);
});
