import { expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { CHANNEL_SECONDS, isOpen, keepChannel, SEED_CHANNELS_TABLE } from "./seed-channels.ts";

const NOW = 1_800_000_000;
const CALLER = {
  tenant: "t",
  user: "u",
  custodian: "CN=u",
  client: "app",
  jkt: "jkt",
  origin: "https://app.example",
};

it("M9 says when there is room again, where as many channels wait for a seed as an object has", () => {
  const sql: SqlStorage = sqlStorage([SEED_CHANNELS_TABLE]);
  const keep = (n: number, now: number) =>
    keepChannel(
      sql,
      {
        ...{ channel: `channel-${n}`, edks: "edks", transcript: "transcript", recipient: "recipient" },
        ...{ share: "share", agreement: { id: "agreement", share: "share" }, batch: "kms/batch" },
        ...{ caller: CALLER, expires: now + CHANNEL_SECONDS },
      },
      now,
    );
  for (let n = 0; n < 256; n++) expect(keep(n, NOW).ok, String(n)).toBe(true);
  expect(keep(256, NOW + 10)).toMatchObject({
    ...{ ok: false, bounded: true },
    problem: { code: "too-many-requests", retryAfter: CHANNEL_SECONDS - 10 },
  });
  expect(isOpen(sql, "channel-256")).toBe(false);
  expect(keep(257, NOW + CHANNEL_SECONDS).ok).toBe(true);
});
