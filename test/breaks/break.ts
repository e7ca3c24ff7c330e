import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** A patch file, `ROOM/NAME.patch`: header lines, then a diff as `git apply` takes it. */
export type Break = {
  /** Name of the file without `.patch`; no other has it, in whatever room. */
  name: string;
  /** The folder under `test/breaks`, named after what is broken. */
  room: string;
  /** Text of the patch file. */
  patch: string;
  /** Paths of the patch, the files that it breaks, and the test file. */
  concerns: string[];
  /** What is broken, in a sentence. */
  breaks: string;
  /** Path of the test file that guards it. */
  guard: string;
  /** Regular expression on the full name of the guarding test. */
  test: string;
};

/** The header's fields. */
export type Header = Pick<Break, "breaks" | "guard" | "test">;

const folder = fileURLToPath(new URL(".", import.meta.url));

/** All breaks, by room and name. Throws where two have one name. */
export function readBreaks(): Break[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const breaks = files
    .filter((file) => file.endsWith(".patch"))
    .toSorted()
    .map((file) => {
      const name = basename(file, ".patch");
      const patch = readFileSync(join(folder, file), "utf8");
      const header = parseHeader(name, patch);
      const broken = [...patch.matchAll(/^--- a\/(.+)$/gm)].map(([, path]) => path!);
      const concerns = [`test/breaks/${file}`, ...broken, header.guard];
      return { name, room: dirname(file), patch, concerns, ...header };
    });
  const rooms = new Map<string, string>();
  for (const { name, room } of breaks) {
    if (rooms.has(name)) throw new Error(`${name}: in ${rooms.get(name)} and in ${room}`);
    rooms.set(name, room);
  }
  return breaks;
}

/** Reads the header: `Breaks:`, `Guard:` and `Test:` lines before the first `diff --git`. Throws where one is missing. */
export function parseHeader(name: string, text: string): Header {
  const header = text.split(/^diff --git /m, 1)[0] ?? "";
  if (header === text) throw new Error(`${name}: no diff`);
  const field = (label: string) => {
    const value = new RegExp(`^${label}: (.+)$`, "m").exec(header)?.[1]?.trim();
    if (!value) throw new Error(`${name}: no "${label}:" line before the diff`);
    return value;
  };
  return { breaks: field("Breaks"), guard: field("Guard"), test: field("Test") };
}
