/** A checkout to compare with: a folder as it is, or a commit in a worktree that is removed afterwards. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "#test/support/tree.ts";

export type Checkout = { name: string; dir: string; remove(): void };

export function checkOut(folderOrCommit: string): Checkout {
  if (existsSync(join(folderOrCommit, "package.json")))
    return { name: folderOrCommit, dir: folderOrCommit, remove() {} };
  const git = (...args: string[]) => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
  const name = git("rev-parse", "--short", "--verify", `${folderOrCommit}^{commit}`);
  const parent = mkdtempSync(join(tmpdir(), "coffer-checkout-"));
  const dir = join(parent, name);
  git("worktree", "add", "--quiet", "--detach", dir, name);
  symlinkSync(join(root, "node_modules"), join(dir, "node_modules"));
  const remove = () => {
    git("worktree", "remove", "--force", dir);
    rmSync(parent, { recursive: true, force: true });
  };
  return { name, dir, remove };
}
