import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { completion, wordsOf } from "./completion.ts";

const HELPS = new Map([
  [
    "account",
    `coffer account list             the user's accounts
coffer account create NAME      another one

  --json        one JSON value
  --user NAME   as whom (where \`coffer start\` runs)

Examples: coffer account rename x --colour
          coffer account paint x
`,
  ],
  [
    "seal",
    "coffer seal FILE …: encrypt files here\n\n  --seed FILE   under a key of it\n  --json        lines\n",
  ],
]);

it("a command's verbs and options are those of its help, and none of its examples", () => {
  expect(wordsOf("account", HELPS.get("account")!)).toEqual({
    verbs: ["list", "create"],
    options: ["--help", "--json", "--user"],
  });
  expect(wordsOf("seal", HELPS.get("seal")!)).toEqual({ verbs: [], options: ["--help", "--json", "--seed"] });
});

/** What the script of a shell is. */
async function script(shell: string): Promise<string> {
  let text = "";
  const write = process.stdout.write;
  process.stdout.write = ((piece: string, done: () => void) => {
    text += piece;
    done();
    return true;
  }) as typeof write;
  try {
    await completion([shell], async () => HELPS);
  } finally {
    process.stdout.write = write;
  }
  return text;
}

/** As bash completes the last of these words. */
async function completed(...words: string[]): Promise<string[]> {
  const ask = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _coffer; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync("bash", ["--norc", "-c", `${await script("bash")}\n${ask}`], {
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  return stdout.split("\n").filter((word) => word !== "");
}

it("bash completes commands, verbs and options, and leaves the rest to file names", async () => {
  expect(await completed("coffer", "")).toEqual(["account", "seal", "--help"]);
  expect(await completed("coffer", "ac")).toEqual(["account"]);
  expect(await completed("coffer", "account", "")).toEqual(["list", "create"]);
  expect(await completed("coffer", "account", "list", "--u")).toEqual(["--user"]);
  expect(await completed("coffer", "seal", "--")).toEqual(["--help", "--json", "--seed"]);
  expect(await completed("coffer", "seal", "con")).toEqual([]);
  expect(await completed("coffer", "nothing", "--")).toEqual([]);
});

it("zsh and fish get the same words", async () => {
  expect(await script("zsh")).toContain("account) verbs=(list create) options=(--help --json --user) ;;");
  const fish = await script("fish");
  expect(fish).toContain("complete -c coffer -n __fish_use_subcommand -f -a account\n");
  expect(fish).toContain("-f -a 'list create'");
  expect(fish).toContain("complete -c coffer -n '__fish_seen_subcommand_from seal' -l seed\n");
});

it("no other shell, and no more than one", async () => {
  for (const args of [[], ["tcsh"], ["bash", "zsh"], ["constructor"]])
    await expect(completion(args, async () => HELPS)).rejects.toMatchObject({ exitCode: 2 });
});
