/** A scratch worktree of HEAD, made once and used for one break after another. */

import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";

export type Scratch = {
  /** The worktree. */
  tree: string;
  /** The folder around it, also for what the tests write into the system's folder for such files. */
  home: string;
  /** Applies a patch; what git says of one that does not apply. */
  apply(patch: string): string | undefined;
  /** The tree of HEAD again. What git ignores stays. */
  revert(): void;
  remove(): void;
};

/** Makes a worktree of the repository at `root` in the folder `home`, with the repository's node_modules. */
export function makeScratch(root: string, home: string): Scratch {
  mkdirSync(home, { recursive: true });
  const tree = join(home, "tree");
  git(root, "worktree", "add", "--detach", "--quiet", tree, "HEAD");
  symlinkSync(join(root, "node_modules"), join(tree, "node_modules"), "dir");
  return {
    tree,
    home,
    apply(patch) {
      const { status, stderr } = run(tree, ["apply", "-"], patch);
      return status === 0 ? undefined : stderr;
    },
    revert() {
      git(tree, "checkout", "--quiet", "--", ".");
      git(tree, "clean", "-fdq", "-e", "node_modules");
    },
    remove() {
      run(root, ["worktree", "remove", "--force", tree]);
      // A test that was ended may still be writing its last.
      rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}

/** What git writes to standard output. */
export function git(directory: string, ...args: string[]): string {
  const { status, stdout, stderr } = run(directory, args);
  if (status !== 0) throw new Error(`git ${args[0]}: ${stderr}`);
  return stdout;
}

function run(directory: string, args: string[], input?: string) {
  return spawnSync("git", ["-C", directory, ...args], { encoding: "utf8", input });
}
