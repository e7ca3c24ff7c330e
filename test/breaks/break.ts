/** A patch file: header lines, then a diff as `git apply` takes it. */

export type Break = {
  /** Name of the file without `.patch`. */
  name: string;
  /** What is broken, in a sentence. */
  breaks: string;
  /** Path of the test file that guards it. */
  guard: string;
  /** Regular expression on the full name of the guarding test. */
  test: string;
};

/** Reads the header: `Breaks:`, `Guard:` and `Test:` lines before the first `diff --git`. Throws where one is missing. */
export function parseBreak(name: string, text: string): Break {
  const header = text.split(/^diff --git /m, 1)[0] ?? "";
  if (header === text) throw new Error(`${name}: no diff`);
  const field = (label: string) => {
    const value = new RegExp(`^${label}: (.+)$`, "m").exec(header)?.[1]?.trim();
    if (!value) throw new Error(`${name}: no "${label}:" line before the diff`);
    return value;
  };
  return { name, breaks: field("Breaks"), guard: field("Guard"), test: field("Test") };
}
