import { describe, expect, it } from "vitest";
import { tarFiles } from "./tar.js";

/** An entry: 512 bytes of header, then the content in blocks of 512 bytes (POSIX.1 pax, ustar). */
function entry({ name = "", prefix = "", mode = "0000644", type = "0", content = "" }): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write(`${mode}\0`, 100);
  header.write(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
  header.write(type, 156);
  header.write(prefix, 345);
  return Buffer.concat([header, Buffer.from(content), Buffer.alloc((512 - (content.length % 512)) % 512)]);
}
const END = Buffer.alloc(1024);
const read = (...entries: Buffer[]) =>
  [...tarFiles(Buffer.concat(entries))].map(({ name, mode, bytes }) => [name, mode, bytes.toString()]);

describe("tarFiles", () => {
  it("reads files with their folders and modes, and leaves out what is no file", () => {
    const files = [
      entry({ name: "a/", type: "5" }),
      entry({ name: "a/one", content: "1".repeat(513), mode: "0000755" }),
      entry({ name: "link", type: "2" }),
      entry({ name: "two", prefix: "a/b" }),
      END,
    ];
    expect(read(...files)).toEqual([
      ["a/one", 0o755, "1".repeat(513)],
      ["a/b/two", 0o644, ""],
    ]);
  });

  it("reads GNU's long names", () => {
    const name = `${"folder/".repeat(20)}file`;
    expect(
      read(
        entry({ name: "././@LongLink", type: "L", content: `${name}\0` }),
        entry({ name: "cut", content: "x" }),
        END,
      ),
    ).toEqual([[name, 0o644, "x"]]);
  });

  it("refuses what is cut off, damaged, or leads out of the folder", () => {
    expect(() => read(entry({ name: "a", content: "12345" }).subarray(0, 514))).toThrow("ends within a file");
    const damaged = entry({ name: "a" });
    damaged.write("zzz", 124);
    expect(() => read(damaged)).toThrow("damaged");
    for (const name of ["/etc/passwd", "../a", "a/../../b"])
      expect(() => read(entry({ name }))).toThrow("leads");
  });
});
