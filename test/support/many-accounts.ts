/**
 * Many accounts, in the databases of a deployment that stands still: each a copy of an account that it has, under an id of its own and
 * on the list that a rotation goes through. Signing in so many people would take minutes, and tell nothing more.
 */

import { createHash, createHmac, randomUUID } from "node:crypto";
import { copyFileSync, existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { edgeDatabases } from "../system/databases.ts";

/** Parts of the list (edge/kms/rotation): all exist once anyone has asked how far a rotation is, or has begun one. */
const PARTS = 16;

/** Ids of the copies. Members, keys and all else of each are those of `account`; its keys have ids of their own. */
export function copyAccount(edgeDir: string, account: string, count: number): string[] {
  const source = objectsFile(edgeDir, `iam/${account}`);
  const own = new DatabaseSync(source);
  const { tenant } = own.prepare("SELECT tenant FROM store_identity").get() as { tenant: string };
  own.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  own.close();
  const unique = basename(dirname(source));
  if (basename(source) !== `${idOf(unique, `${tenant}/${account}`)}.sqlite`)
    throw new Error("workerd names its objects in another way");
  const ids = Array.from({ length: count }, () => randomUUID());
  for (const id of ids) {
    const path = join(dirname(source), `${idOf(unique, `${tenant}/${id}`)}.sqlite`);
    copyFileSync(source, path);
    const copy = new DatabaseSync(path);
    copy.exec("PRAGMA synchronous = OFF");
    copy.prepare("UPDATE account SET id = ?").run(id);
    copy.prepare("UPDATE store_identity SET source = ?, epoch = ?").run(`iam/${id}`, randomUUID());
    copy.prepare("UPDATE account_keys SET id = ?").run(randomUUID());
    copy.close();
  }
  list(edgeDir, tenant, ids);
  return ids;
}

function list(edgeDir: string, tenant: string, ids: string[]): void {
  const any = edgeDatabases(edgeDir).find((path) => path.includes("KmsRotationObject"));
  if (any === undefined) throw new Error("nothing is on the list yet");
  for (let part = 0; part < PARTS; part++) {
    const unique = basename(dirname(any));
    const path = join(dirname(any), `${idOf(unique, `${tenant}/accounts.${part}`)}.sqlite`);
    const its = ids.filter((id) => createHash("sha256").update(id).digest().readUInt32BE(0) % PARTS === part);
    if (!existsSync(path)) throw new Error("a part of the list does not exist yet");
    const database = new DatabaseSync(path);
    database.exec("BEGIN");
    for (const id of its) database.prepare("INSERT INTO accounts (id) VALUES (?)").run(id);
    database.exec("COMMIT");
    database.close();
  }
}

function objectsFile(edgeDir: string, source: string): string {
  const found = edgeDatabases(edgeDir).find((path) => {
    const database = new DatabaseSync(path, { readOnly: true });
    try {
      const has = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'store_identity'").get();
      const identity = has && database.prepare("SELECT source FROM store_identity").get();
      return identity?.source === source;
    } finally {
      database.close();
    }
  });
  if (found === undefined) throw new Error(`no object is ${source}`);
  return found;
}

/** As workerd derives the id of an object from its name (`idFromName`). */
function idOf(unique: string, name: string): string {
  const key = createHash("sha256").update(unique).digest();
  const mac = (data: string | Buffer) => createHmac("sha256", key).update(data).digest();
  const base = mac(name).subarray(0, 16);
  return Buffer.concat([base, mac(base).subarray(0, 16)]).toString("hex");
}
