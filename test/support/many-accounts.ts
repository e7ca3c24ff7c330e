/**
 * Many accounts, in the databases of a deployment that stands still: each a copy of an account that it has, under an id of its own and
 * on the list that a rotation goes through. Signing in so many people would take minutes, and tell nothing more.
 */

import { createHash, createHmac, randomUUID } from "node:crypto";
import { copyFileSync, existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { edgeDatabases, readRows } from "../system/databases.ts";

/** Parts of the list (edge/kms/rotation): all exist once anyone has asked how far a rotation is, or has begun one. */
const PARTS = 16;

/** Resolves once the account's decisions are in their chains, so that they are there of its copies as well. */
export async function untilChained(edgeDir: string, account: string): Promise<void> {
  const chained = () => new Set(readRows(edgeDir, "source").map(({ name }) => name));
  for (let tries = 0; tries < 200; tries++) {
    const names = chained();
    if (["iam", "kms"].every((domain) => names.has(`${domain}/${account}`))) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`the decisions of ${account} are in no chain`);
}

/** Ids of the copies. Members, keys and all else of each are those of `account`; its keys have ids of their own. */
export function copyAccount(edgeDir: string, account: string, count: number): string[] {
  const ids = Array.from({ length: count }, () => randomUUID());
  const iam = objectOf(edgeDir, "IamAccountObject", "store_identity", `iam/${account}`);
  const kms = objectOf(edgeDir, "KmsAccountObject", "store_identity", `kms/${account}`);
  const chain = (domain: string) => objectOf(edgeDir, "AuditSourceObject", "source", `${domain}/${account}`);
  const chains = [chain("iam"), chain("kms")] as const;
  for (const id of ids) {
    const epochs = [randomUUID(), randomUUID()] as const;
    copy(iam, `${iam.tenant}/${id}`, (to) => {
      to("UPDATE account SET id = ?", id);
      to("UPDATE account_keys SET id = ?", randomUUID());
      to("UPDATE store_identity SET source = ?, epoch = ?", `iam/${id}`, epochs[0]);
      to("DELETE FROM audit_outbox");
    });
    copy(kms, `${iam.tenant}/${id}`, (to) => {
      to("DELETE FROM data_keys");
      to("UPDATE store_identity SET source = ?, epoch = ?", `kms/${id}`, epochs[1]);
      to("DELETE FROM audit_outbox");
    });
    // Its decisions are another's: of the chains stands the beginning alone.
    for (const [at, one] of chains.entries())
      copy(one, `${iam.tenant}/${at === 0 ? "iam" : "kms"}/${id}`, (to) => {
        to("DELETE FROM links");
        to("UPDATE epochs SET epoch = ?, outbox = 0", epochs[at] ?? "");
        to(
          "UPDATE source SET name = ?, epoch = ?, logged = 0",
          `${at === 0 ? "iam" : "kms"}/${id}`,
          epochs[at] ?? "",
        );
      });
  }
  list(edgeDir, iam.tenant, ids);
  return ids;
}

type Source = { path: string; unique: string; tenant: string };
type Change = (statement: string, ...values: string[]) => void;

/** The database of an object whose `table` says that it is `source`'s, all of it in the one file. */
function objectOf(edgeDir: string, of: string, table: string, source: string): Source {
  for (const path of edgeDatabases(edgeDir).filter((one) => one.includes(of))) {
    const database = new DatabaseSync(path);
    try {
      const column = table === "source" ? "name" : "source";
      if (!database.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?").get(table)) continue;
      const found = database.prepare(`SELECT tenant FROM ${table} WHERE ${column} = ?`).get(source);
      if (found === undefined) continue;
      database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      const { tenant } = found as { tenant: string };
      const unique = basename(dirname(path));
      const name = `${tenant}/${table === "source" ? source : source.slice(source.indexOf("/") + 1)}`;
      if (basename(path) !== `${idOf(unique, name)}.sqlite`)
        throw new Error("workerd names its objects in another way");
      return { path, unique, tenant };
    } finally {
      database.close();
    }
  }
  throw new Error(`no object is ${source}`);
}

function copy({ path, unique }: Source, name: string, change: (to: Change) => void): void {
  const own = join(dirname(path), `${idOf(unique, name)}.sqlite`);
  copyFileSync(path, own);
  const database = new DatabaseSync(own);
  database.exec("PRAGMA synchronous = OFF; BEGIN");
  change((statement, ...values) => database.prepare(statement).run(...values));
  database.exec("COMMIT");
  database.close();
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

/** As workerd derives the id of an object from its name (`idFromName`). */
function idOf(unique: string, name: string): string {
  const key = createHash("sha256").update(unique).digest();
  const mac = (data: string | Buffer) => createHmac("sha256", key).update(data).digest();
  const base = mac(name).subarray(0, 16);
  return Buffer.concat([base, mac(base).subarray(0, 16)]).toString("hex");
}
