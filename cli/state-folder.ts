/** Where a folder of `coffer start` keeps the edge's state: of one worker, or of the units of split operation. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { IamHost } from "#edge/iam-host.ts";

/** `iamIn`: the unit that the IAM is a module of. */
type Arrangement = { split: boolean; iamIn?: IamHost };
export type StateFolder = Arrangement & { path: string };

const NAMES: readonly (Arrangement & { name: string })[] = [
  { name: "units", split: true },
  { name: "units-iam-in-app", split: true, iamIn: "app" },
  { name: "units-iam-in-kms", split: true, iamIn: "kms" },
  { name: "edge", split: false },
];

/** What the folder has, or null where nothing has run. */
export function stateFolderOf(dir: string): StateFolder | null {
  const found = NAMES.find(({ name }) => existsSync(join(dir, name)));
  return found === undefined ? null : folderOf(dir, found);
}

export function newStateFolder(dir: string, split: boolean, iamIn?: IamHost): StateFolder {
  const [one] = NAMES.filter((each) => each.split === split && each.iamIn === iamIn);
  if (one === undefined) throw new Error("The IAM is a module of a unit in split operation alone");
  return folderOf(dir, one);
}

function folderOf(dir: string, { name, ...arrangement }: (typeof NAMES)[number]): StateFolder {
  return { ...arrangement, path: join(dir, name) };
}
