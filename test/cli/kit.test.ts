/** What the kit can do the command line can, or a reason stands here why not. A method that has no row makes this red. */

import { expect, it } from "vitest";
import { helps } from "#cli/commands.ts";
import { wordsOf } from "#cli/completion.ts";
import { Accounts } from "#web/client/accounts.ts";
import { Administration } from "#web/client/administration.ts";
import { Coffer } from "#web/client/coffer.ts";
import { Rotation } from "#web/client/rotation.ts";
import { Sharing } from "#web/client/sharing.ts";
import { Versions } from "#web/client/versions.ts";

/** A command line, or why there is none. */
type Way = string | { not: string };
const EACH = { not: "every command does it when it begins" };
const PAGE = { not: "it is about the frames, tabs and Service Worker of a page" };
const ONE = { not: "what it does lasts as long as one process, which is one command here" };

const KIT: Record<string, Way> = {
  connect: EACH,
  signIn: EACH,
  prepare: EACH,
  resume: EACH,
  signOut: { not: "a command's sign-in ends with it" },
  accountPage: PAGE,
  identity: { not: "`account list`, `admin standing`" },
  microservice: PAGE,
  vault: PAGE,
  queue: { not: "an upload waits for the network where something goes on running; a command is asked again" },
  held: PAGE,
  sharing: "share",
  versions: "versions",
  lock: { not: "a command's keys end with it" },
  lend: PAGE,
  renew: PAGE,
  update: PAGE,
  seal: "seal",
  loadBySeed: "seal",
  loadByGrant: ONE,
  unfinishedUploads: ONE,
  resumeUpload: ONE,
  open: "open",
  openRanged: { not: "a file is written whole or not at all" },
  list: "list",
  finish: "finish",
  remove: "delete",
  restore: "restore",
  reEncrypt: "re-encrypt",
  reEncryptAll: "re-encrypt",
  rename: "rename",
  manage: "account list",
  administer: "admin role",
  accounts: "account list",
  standing: "admin standing",
  members: "member list",
  putMember: "member add",
  removeMember: "member remove",
  leave: "member leave",
};
const LIFE: Record<string, Way> = {
  create: "account create",
  state: "account list",
  states: "account list",
  delete: "account delete",
  keep: "account cancel",
  rotateKey: "account rotate",
  keys: "key list",
  rotateDataKey: "key rotate",
  deleteDataKey: "key delete",
  keepDataKey: "key cancel",
  endOwnKey: "key delete",
  rotateAppKey: "instance rotate-key",
  audit: "audit list",
  kept: { not: "it is for a picture of where keys are; the KMS's log has its numbers" },
  instances: "instance list",
  revokeInstance: "instance revoke",
  passkeys: "instance passkeys",
  removePasskey: "instance remove-passkey",
};
const ADMINISTRATION: Record<string, Way> = {
  standing: "admin standing",
  roles: "admin role",
  grantRole: "admin role",
  withdrawRole: "admin role",
  groups: "admin group",
  group: "admin group",
  addToGroup: "admin group",
  removeFromGroup: "admin group",
  policy: "policy show",
  putPolicy: "policy put",
  userInstances: "admin instance",
  revokeUserInstance: "admin instance",
  userKeys: "admin key",
  endUserKey: "admin key",
  quota: "admin quota",
  setQuota: "admin quota",
  clients: "client list",
  registerClient: "client register",
  removeClient: "client remove",
};
const SHARING: Record<string, Way> = {
  share: "share",
  shares: "shares",
  withdraw: "unshare",
  received: "shares",
  open: "shares",
  decline: "shares",
};
const VERSIONS: Record<string, Way> = { save: "replace", list: "versions", restore: "restore" };
const ROTATION: Record<string, Way> = { begin: "rotate", read: "rotate" };

/** What a class has for its callers, beside what it has of `EventTarget`. */
function methodsOf(one: { prototype: object }): string[] {
  return Object.getOwnPropertyNames(one.prototype).filter((name) => name !== "constructor");
}

it.each([
  ["the kit", Coffer, KIT],
  ["accounts and their keys", Accounts, LIFE],
  ["administration", Administration, ADMINISTRATION],
  ["rotation", Rotation, ROTATION],
  ["sharing", Sharing, SHARING],
  ["versions", Versions, VERSIONS],
] as const)("each call of %s has a command, or a reason why it has none", async (_, one, ways) => {
  expect(methodsOf(one).filter((name) => !Object.hasOwn(ways, name))).toEqual([]);
  const all = await helps();
  for (const way of Object.values(ways)) {
    if (typeof way !== "string") continue;
    const [command = "", verb] = way.split(" ");
    expect(all.has(command), way).toBe(true);
    if (verb !== undefined) expect(wordsOf(command, all.get(command)!).verbs, way).toContain(verb);
  }
});
