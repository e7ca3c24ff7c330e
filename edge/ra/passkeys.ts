/** Passkeys that a user has registered in the vault's frame: by what an instance of that user may be attested (M1). */

import { encodeBase64url } from "#protocol/base64url.ts";
import type { AnswerOf, listPasskeys, openPasskey } from "#protocol/contract/index.ts";
import { counterOf, type Passkey, type PasskeyResult, readAssertion } from "#protocol/evidence/index.ts";
import { PASSKEY_EVIDENCE } from "#protocol/passkey.ts";
import type { Tier } from "#protocol/policy/index.ts";
import { type Decision, ok, refuse } from "../result.ts";
import type { EvidenceResult, Presented } from "./types.ts";

/** A migration. Times: seconds since 1970. */
export const PASSKEYS = `
  -- Passkeys of a user: credential id and SubjectPublicKeyInfo, base64url; the highest counter that was seen; 1 where it may leave
  -- its authenticator; how far it can be trusted; the authenticator's model (AAGUID).
  CREATE TABLE passkeys (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    public_key TEXT NOT NULL,
    counter INTEGER NOT NULL,
    backup INTEGER NOT NULL,
    tier TEXT NOT NULL,
    authenticator TEXT NOT NULL,
    registered INTEGER NOT NULL,
    used INTEGER
  ) STRICT, WITHOUT ROWID;

  -- Challenges for passkeys that are being registered.
  CREATE TABLE passkey_challenges (
    challenge TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    expires INTEGER NOT NULL,
    used INTEGER
  ) STRICT, WITHOUT ROWID;
`;

/** A migration: who vouched for them (SHA-256 of keys, with commas between), and the origin of the app in whose page they were made. */
export const PASSKEY_ORIGINS = `
  ALTER TABLE passkeys ADD COLUMN certified_by TEXT NOT NULL DEFAULT '';
  ALTER TABLE passkeys ADD COLUMN app TEXT NOT NULL DEFAULT '';
`;

/** Of one user: the contract's list has as many. */
const MAX_PASSKEYS = 16;
/** Time to touch an authenticator. */
const CHALLENGE_SECONDS = 300;
/** One more takes the place of the oldest. */
const MAX_CHALLENGES = 16;

type Row = {
  id: string;
  public_key: string;
  counter: number;
  backup: number;
  tier: Tier;
  authenticator: string;
  registered: number;
  used: number | null;
  certified_by: string;
  app: string;
};

export type PasskeyOpened = AnswerOf<typeof openPasskey>;
export type PasskeyListed = AnswerOf<typeof listPasskeys>["passkeys"][number];

/** A challenge for one registration, in the transaction of the decision. */
export function openChallenge(sql: SqlStorage, user: string, now: number): Decision<PasskeyOpened> {
  sql.exec("DELETE FROM passkey_challenges WHERE expires <= ?", now);
  sql.exec(
    `DELETE FROM passkey_challenges WHERE challenge IN (SELECT challenge FROM passkey_challenges WHERE user = ?
     ORDER BY expires DESC LIMIT -1 OFFSET ?)`,
    user,
    MAX_CHALLENGES - 1,
  );
  const known = rowsOf(sql, user).map(({ id }) => id);
  if (known.length >= MAX_PASSKEYS) return refuse("conflict", "too many passkeys");
  const challenge = encodeBase64url(crypto.getRandomValues(new Uint8Array(32)));
  const expires = now + CHALLENGE_SECONDS;
  sql.exec(
    "INSERT INTO passkey_challenges (challenge, user, expires) VALUES (?, ?, ?)",
    challenge,
    user,
    expires,
  );
  return ok({ challenge, user, known, expires });
}

/** Takes a challenge out of use, whatever follows. */
export function consumeChallenge(
  sql: SqlStorage,
  { challenge, user }: { challenge: string; user: string },
  now: number,
): Decision<null> {
  const [row] = sql
    .exec<{ user: string; expires: number }>(
      "UPDATE passkey_challenges SET used = ? WHERE challenge = ? AND used IS NULL RETURNING user, expires",
      now,
      challenge,
    )
    .toArray();
  if (!row) return refuse("invalid-grant", "challenge unknown or already used");
  if (!(now < row.expires)) return refuse("invalid-grant", "challenge expired");
  return row.user === user ? ok(null) : refuse("foreign-custodian", "challenge belongs to another user");
}

/** Keeps a passkey that the verifier has found good. */
export function insertPasskey(
  sql: SqlStorage,
  user: string,
  { passkey, authenticator, app }: PasskeyResult,
  now: number,
): Decision<Pick<Passkey, "id" | "tier">> {
  const { id, publicKey, counter, backup, tier, certifiedBy = [] } = passkey;
  if (rowsOf(sql, user).length >= MAX_PASSKEYS) return refuse("conflict", "too many passkeys");
  const inserted = sql.exec(
    `INSERT OR IGNORE INTO passkeys (id, user, public_key, counter, backup, tier, authenticator, registered, certified_by, app)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
    ...[id, user, publicKey, counter, backup ? 1 : 0, tier, authenticator, now, certifiedBy.join(","), app],
  );
  return inserted.toArray().length === 1
    ? ok({ id, tier })
    : refuse("conflict", "the passkey is registered already");
}

/** Those of a user, as a verifier asks for them. */
export function passkeysOf(sql: SqlStorage, user: string): Passkey[] {
  return rowsOf(sql, user).map(({ id, public_key: publicKey, counter, backup, tier, certified_by }) => {
    const certifiedBy = certified_by === "" ? [] : certified_by.split(",");
    return { id, publicKey, counter, backup: backup === 1, tier, certifiedBy };
  });
}

/** Those of a user, as the user sees them: the newest first. */
export function listed(sql: SqlStorage, user: string): PasskeyListed[] {
  return rowsOf(sql, user).map(({ id, tier, authenticator, backup, registered, used, app }) => {
    const known = { id, tier, authenticator, synced: backup === 1, registered };
    return { ...known, ...(used !== null && { used }), ...(app !== "" && { app }) };
  });
}

/** By the app in whose page it was made: another one of the tenant's takes no user's passkeys away. Those of before are any app's. */
export function removePasskey(
  sql: SqlStorage,
  { user, origin }: { user: string; origin: string },
  id: string,
): Decision<null> {
  const gone = sql
    .exec("DELETE FROM passkeys WHERE id = ? AND user = ? AND app IN (?, '') RETURNING id", id, user, origin)
    .toArray();
  return gone.length === 1 ? ok(null) : refuse("not-found", "no such passkey of this user");
}

/**
 * The verifier's word on evidence. Where that is an assertion, its counter is used up by one statement: of two with one counter the
 * second is refused, and one by a passkey that was removed meanwhile too.
 */
export async function appraised(
  sql: SqlStorage,
  presented: Presented,
  ask: (presented: Presented) => Promise<EvidenceResult>,
  now: number,
): Promise<EvidenceResult> {
  const { type, evidence, user } = presented;
  if (type !== PASSKEY_EVIDENCE || user === undefined) return ask(presented);
  const result = await ask({ ...presented, passkeys: passkeysOf(sql, user) });
  if (!result.ok) return result;
  const [{ id }, counter] = [readAssertion(evidence), counterOf(evidence)];
  const went = sql.exec(
    `UPDATE passkeys SET counter = ?1, used = ?2 WHERE id = ?3 AND user = ?4 AND (counter < ?1 OR (counter = 0 AND ?1 = 0))
     RETURNING id`,
    ...[counter, now, id, user],
  );
  if (went.toArray().length === 1) return result;
  return { ok: false, policy: result.policy, reason: "the passkey is gone, or its counter did not go on" };
}

function rowsOf(sql: SqlStorage, user: string): Row[] {
  return sql.exec<Row>("SELECT * FROM passkeys WHERE user = ? ORDER BY registered DESC, id", user).toArray();
}
