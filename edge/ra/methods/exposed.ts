/** Credentials that somebody presented for whom they are not: the object of the one for whom they are uses them up. */

import { decodeBase64url } from "#protocol/base64url.ts";

/** A grant by its hash, base64url; a secret zero by its number. */
export type Exposed = { grant: string } | { secretZero: string };

/** Whether there is one among them that is not used up. */
export function anyOpen(sql: SqlStorage, exposed: readonly Exposed[]): boolean {
  return exposed.some((one) => {
    const { table, key, value } = whereOf(one);
    const open = `SELECT 1 FROM ${table} WHERE ${key} = ? AND used IS NULL`;
    return sql.exec(open, value).toArray().length > 0;
  });
}

/** Uses up what somebody else has presented. */
export function useUp(sql: SqlStorage, exposed: readonly Exposed[], now: number): void {
  for (const one of exposed) {
    const { table, key, value } = whereOf(one);
    sql.exec(`UPDATE ${table} SET used = ? WHERE ${key} = ? AND used IS NULL`, now, value);
  }
}

function whereOf(exposed: Exposed) {
  return "grant" in exposed
    ? { table: "grants", key: "hash", value: decodeBase64url(exposed.grant) }
    : { table: "secret_zeros", key: "id", value: exposed.secretZero };
}
