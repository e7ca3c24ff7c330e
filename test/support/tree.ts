import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The root of the tree, with a slash at its end. */
export const root = fileURLToPath(new URL("../../", import.meta.url));

/** Files of the tree by git's patterns (`*.ts`), those that are not added yet among them. Paths from the root. */
export function filesOfTree(...patterns: string[]): string[] {
  const list = ["ls-files", "-co", "--exclude-standard", "--", ...patterns];
  const files = execFileSync("git", list, { cwd: root, encoding: "utf8" }).split("\n");
  return files.filter((file) => file !== "" && existsSync(`${root}${file}`));
}
