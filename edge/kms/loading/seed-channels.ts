/** Channels that wait for a seed (M9): opened by a grant, good once and for half a minute. */

import type { Caller } from "../../caller.ts";
import { type Decision, ok, refuse, refuseForNow, turnAway } from "../../result.ts";

/** A part of the migrations of an account's object and of a principal's. Times: seconds since 1970. */
export const SEED_CHANNELS_TABLE = `
  CREATE TABLE seed_channels (
    -- What the channel's receipt is for: SHA-256, base64url.
    channel TEXT PRIMARY KEY,
    -- SHA-256 of the EDKs' digests in their order; of all that the channel is bound to; of the wrapping certificate of the instance.
    edks TEXT NOT NULL,
    transcript TEXT NOT NULL,
    recipient TEXT NOT NULL,
    -- The instance's share; JSON of the agreement key at the HSM, and the ledger's entry for it.
    share TEXT NOT NULL,
    agreement TEXT NOT NULL,
    batch TEXT NOT NULL,
    -- JSON of the custodian whom the instance serves, as the gateway knew them.
    caller TEXT NOT NULL,
    expires INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

/** Seconds: less than the ledger leaves an agreement key at the HSM. */
export const CHANNEL_SECONDS = 30;
/** Of one object at a time. */
const MAX_OPEN = 256;

export type SeedChannel = {
  channel: string;
  edks: string;
  transcript: string;
  recipient: string;
  share: string;
  agreement: { id: string; share: string };
  batch: string;
  caller: Omit<Caller, "requestId">;
  expires: number;
};

/** Inside `authorize()`. */
export function keepChannel(sql: SqlStorage, of: SeedChannel, now: number): Decision<null> {
  sql.exec("DELETE FROM seed_channels WHERE expires <= ?", now);
  const { open, first } = sql
    .exec<{ open: number; first: number | null }>(
      "SELECT count(*) AS open, min(expires) AS first FROM seed_channels",
    )
    .one();
  if (open >= MAX_OPEN) return refuseForNow("channels that wait for a seed", (first ?? now) - now);
  sql.exec(
    "INSERT INTO seed_channels VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ...[of.channel, of.edks, of.transcript, of.recipient, of.share],
    ...[JSON.stringify(of.agreement), of.batch, JSON.stringify(of.caller), of.expires],
  );
  return ok(null);
}

export function isOpen(sql: SqlStorage, channel: string): boolean {
  return sql.exec("SELECT 1 FROM seed_channels WHERE channel = ?", channel).toArray().length > 0;
}

type Row = Omit<SeedChannel, "agreement" | "caller"> & { agreement: string; caller: string };

/** Uses it up, whatever else is wrong with what comes. Inside `authorize()`. */
export function useChannel(
  sql: SqlStorage,
  { channel, edks }: Pick<SeedChannel, "channel" | "edks">,
  now: number,
): Decision<SeedChannel> {
  const [row] = sql.exec<Row>("DELETE FROM seed_channels WHERE channel = ? RETURNING *", channel).toArray();
  if (row === undefined) return turnAway("invalid-grant", "channel is unknown or used");
  if (!(now < row.expires)) return refuse("invalid-grant", "channel has expired");
  if (row.edks !== edks) return refuse("invalid-grant", "channel is for other keys");
  return ok({ ...row, agreement: JSON.parse(row.agreement), caller: JSON.parse(row.caller) });
}
