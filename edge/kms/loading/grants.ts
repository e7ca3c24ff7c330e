/** Grants to load data keys (M7): short-lived, for these keys and this instance, and good once. */

import { seconds } from "#protocol/clock.ts";
import type { AnswerOf, GrantKeysRequest, grantKeys } from "#protocol/contract/index.ts";
import { edksDigest } from "#protocol/keys/index.ts";
import { authorize } from "../../authorize.ts";
import type { Caller } from "../../caller.ts";
import { type Decision, ok, type Result, refuse, refuseForNow, turnAway } from "../../result.ts";
import { hashSecret, newSecret } from "../../secret.ts";
import { type Door, noMember } from "../context.ts";
import { isOfSeed } from "../edk.ts";
import { digestOf } from "./rewrap-several.ts";
import { askForSeveral, decideSeveral, type Item, severalOf } from "./several.ts";

/** A part of the migrations of an account's object and of a principal's. Times: seconds since 1970. */
export const LOAD_GRANTS_TABLE = `
  -- M7: the copy of each grant that it is compared with. The grant itself as SHA-256.
  CREATE TABLE load_grants (
    hash TEXT PRIMARY KEY,
    -- SHA-256 of the EDKs' digests in their order, and of the wrapping certificate of the instance that it is for.
    edks TEXT NOT NULL,
    recipient TEXT NOT NULL,
    -- JSON of the custodian whom the instance serves, as the gateway knew them.
    caller TEXT NOT NULL,
    expires INTEGER NOT NULL,
    used INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX load_grants_by_end ON load_grants (expires);
`;

/** Seconds that a grant lives where nothing else is asked. */
const LIFE = 60;
/** Grants of one object that live at a time: more than anyone presents in an hour. */
const MAX_LIVING = 4096;
/** An expired one is told from an unknown one for so long, for the audit log. Seconds. */
const REMEMBERED = 3600;

export type Granted = AnswerOf<typeof grantKeys>;

/** The same decision as on a rewrap; what is released later is decided again then. */
export async function grantSeveral(
  door: Door,
  caller: Caller,
  request: GrantKeysRequest,
  items: readonly Item[],
): Promise<Result<Granted>> {
  const thumbprint = await digestOf(request.certificate);
  const several = await severalOf(caller, items, thumbprint ?? "");
  const about = { action: "kms:grant", ...several.about };
  if (thumbprint === null)
    return door.refuse(about, refuse("invalid-certificate", "certificate is not base64url"));
  const standing = await askForSeveral(door.neighbours, several);
  if (!standing.member.ok) return door.refuse(about, noMember(standing.member.problem));
  const { found } = standing;
  if (!found.ok && found.problem.code !== "not-recipient") return found;
  const kms = await door.enter();
  // Of the tenant's turns none goes to who would get no grant.
  if (isOfSeed(items) && decideSeveral(kms.store.sql, kms, several, standing).ok) {
    const turn = await kms.turns().seedTurn(caller.user);
    if (!turn.ok) return authorize<never>(kms.store, about, () => turn);
  }
  const grant = newSecret();
  const [hash, edks] = await Promise.all([hashSecret(grant), edksDigest(items.map(({ token }) => token))]);
  return authorize<Granted>(kms.store, about, (sql) => {
    const decision = decideSeveral(sql, kms, several, standing);
    if (!decision.ok) return decision;
    const now = seconds(Date.now());
    const bounded = makeRoom(sql, now);
    if (!bounded.ok) return bounded;
    const expires = now + (request.life ?? LIFE);
    const { requestId: _, ...of } = caller;
    sql.exec(
      "INSERT INTO load_grants (hash, edks, recipient, caller, expires) VALUES (?, ?, ?, ?, ?)",
      ...[hash, edks, thumbprint, JSON.stringify(of), expires],
    );
    return ok({ grant, expires });
  });
}

function makeRoom(sql: SqlStorage, now: number): Decision<null> {
  sql.exec("DELETE FROM load_grants WHERE expires <= ?", now - REMEMBERED);
  const { living, first } = sql
    .exec<{ living: number; first: number | null }>(
      "SELECT count(*) AS living, min(expires) AS first FROM load_grants",
    )
    .one();
  if (living < MAX_LIVING) return ok(null);
  return refuseForNow("grants that live", (first ?? now) + REMEMBERED - now);
}

type Row = { edks: string; recipient: string; caller: string; expires: number };
/** Whom a grant was for. */
export type For = { caller: Omit<Caller, "requestId">; recipient: string };

/** Uses a grant up, whatever else is wrong with what is presented. Inside `authorize()`; `edks` as the table has it. */
export function useGrant(
  sql: SqlStorage,
  { hash, edks }: { hash: string; edks: string },
  now: number,
): Decision<For> {
  const [row] = sql
    .exec<Row>(
      `UPDATE load_grants SET used = ? WHERE hash = ? AND used IS NULL
       RETURNING edks, recipient, caller, expires`,
      ...[now, hash],
    )
    .toArray();
  if (row === undefined) return turnAway("invalid-grant", "grant is unknown or used");
  if (!(now < row.expires)) return refuse("invalid-grant", "grant has expired");
  if (row.edks !== edks) return refuse("invalid-grant", "grant is for other keys");
  return ok({ caller: JSON.parse(row.caller) as For["caller"], recipient: row.recipient });
}
