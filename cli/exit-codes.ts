/** How `coffer` ends: one table for the help, the documents and their test. What stands here does not change. */

export type ExitCode = { code: number; means: string };

export const EXIT_CODES: readonly ExitCode[] = [
  { code: 0, means: "all that was asked for is done" },
  { code: 1, means: "it is not, or only in part: standard error says why" },
  { code: 2, means: "the command line is wrong, and nothing was done" },
  { code: 3, means: "`coffer policy test`: the policies deny what was asked about" },
  { code: 130, means: "ended at once by a second Ctrl-C" },
];

/** `coffer help exit-codes`, and the same lines wherever a help gives the table. */
export function exitCodeLines(): string {
  return EXIT_CODES.map(({ code, means }) => `${String(code).padStart(5)}  ${means}\n`).join("");
}
