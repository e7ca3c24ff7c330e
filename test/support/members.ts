/** Accounts with several members, of which the product makes none yet: written into the objects' databases. */

import { changeRows } from "../system/databases.ts";
import type { EdgeClient } from "./edge-client.ts";

/** Makes a user a member of an account beside those who are. */
export function addMember({ edgeDir }: { edgeDir: string }, account: string, { tokens }: EdgeClient): void {
  const user = tokens.user.id;
  const member = `INSERT INTO members (user) SELECT '${user}' FROM account WHERE id = '${account}'`;
  const copy = `INSERT INTO memberships (account, name, created) SELECT '${account}', 'shared', 1 FROM principal WHERE id = '${user}'`;
  const changed = [changeRows(edgeDir, "account", member), changeRows(edgeDir, "memberships", copy)];
  if (changed.join() !== "1,1") throw new Error("no such account or user");
}
