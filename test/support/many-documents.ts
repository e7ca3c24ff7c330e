/**
 * Many documents in the list of an account, in the datastore's table while the edge stands still: each with a genuine copy of its name,
 * without content. Sealing so many one by one would take minutes, and tell nothing more of a list.
 */

import { DatabaseSync } from "node:sqlite";
import type { Client } from "#cli/client.ts";
import { createDocumentId } from "#web/client/belonging.ts";
import { sealListed } from "#web/client/listing.ts";
import { edgeDatabases } from "../system/databases.ts";

type Copy = { id: string; sealed: Buffer };

/** Copies of `count` names, `Report 1.pdf` and so on, under the account's metadata key. */
export async function sealNames(
  { keys, microservice, identity }: Client,
  account: string,
  count: number,
): Promise<{ edk: string; copies: Copy[] }> {
  const edk = await keys.listing(account);
  if (edk === undefined) throw new Error("an instance above level data has no metadata key");
  const { port } = await microservice.use();
  const content = { messageId: "A".repeat(43), headerDigest: "A".repeat(43) };
  const copies: Copy[] = [];
  for (let at = 1; at <= count; at++) {
    const id = createDocumentId();
    const context = { tenant: identity.tenant, account, document: id, purpose: "listing" };
    const metadata = { name: `Report ${at}.pdf`, type: "application/pdf", size: 1000 + at, content };
    const copy = await sealListed(port, { edk, context }, metadata);
    if (copy) copies.push({ id, sealed: Buffer.from(copy.sealed, "base64url") });
  }
  return { edk, copies };
}

/** Enters them, an hour apart. */
export function enterDocuments(
  edgeDir: string,
  account: string,
  { edk, copies }: { edk: string; copies: Copy[] },
): void {
  for (const path of edgeDatabases(edgeDir)) {
    const database = new DatabaseSync(path);
    try {
      const own = "SELECT 1 FROM store_identity WHERE source = ?";
      if (!has(database, "listed_keys") || !database.prepare(own).get(`datastore/${account}`)) continue;
      database.exec("BEGIN");
      database.prepare("INSERT OR IGNORE INTO listed_keys (client, edk) VALUES ('page', ?)").run(edk);
      const key = database
        .prepare("SELECT number FROM listed_keys WHERE client = 'page' AND edk = ?")
        .get(edk);
      const insert = database.prepare(
        `INSERT INTO documents (id, account, client, state, size, metadata, created, touched, listed, listed_key)
          VALUES (?, ?, 'page', 'complete', 2000, 600, ?, ?, ?, ?)`,
      );
      const now = Date.now();
      for (const [at, { id, sealed }] of copies.entries())
        insert.run(id, account, now - at * 3_600_000, now, sealed, Number(key?.number));
      database.exec("COMMIT");
      return;
    } finally {
      database.close();
    }
  }
  throw new Error("the datastore has no object of the account");
}

function has(database: DatabaseSync, table: string): boolean {
  return database.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?").get(table) !== undefined;
}
