import { expect, it } from "vitest";
import { EmulatedAuthenticator } from "#emulator/enclave/index.ts";
import { PASSKEY_EVIDENCE } from "#protocol/passkey.ts";
import { sqlStorage } from "#test/support/sql-storage.ts";
import {
  appraised,
  consumeChallenge,
  insertPasskey,
  openChallenge,
  passkeysOf,
  removePasskey,
} from "./passkeys.ts";
import { MIGRATIONS } from "./schema.ts";
import type { EvidenceResult, Presented } from "./types.ts";

const NOW = 1_800_000_000;
const [ann, bob] = ["a".repeat(32), "b".repeat(32)] as [string, string];
const page = { vault: "https://vault.example", app: "https://app.example" };
const good: EvidenceResult = { ok: true, policy: "p", tier: "emulated", measurements: { code: "ab" } };

const opened = () => sqlStorage(MIGRATIONS);

async function shown(device: EmulatedAuthenticator, counter: number): Promise<Presented> {
  const order = { nonce: new Uint8Array(32), subject: "s", measurement: new Uint8Array(48) };
  const evidence = await device.attest(order, page, { counter });
  return {
    type: PASSKEY_EVIDENCE,
    evidence,
    nonce: order.nonce,
    subject: "s",
    key: new Uint8Array(1),
    user: ann,
  };
}

async function withPasskey() {
  const sql = opened();
  const device = new EmulatedAuthenticator();
  const { id } = await device.register("A".repeat(43), page);
  const passkey = { id, publicKey: "A".repeat(122), counter: 0, backup: false, tier: "emulated" } as const;
  expect(insertPasskey(sql, ann, { passkey, authenticator: "0".repeat(36), app: page.app }, NOW).ok).toBe(
    true,
  );
  return { sql, device, id };
}

it("M1 M20 of two assertions with one counter that the verifier has both found good, one counts", async () => {
  const { sql, device } = await withPasskey();
  const presented = await Promise.all([shown(device, 7), shown(device, 7)]);
  let asked = 0;
  let both = () => {};
  const together = new Promise<void>((resolve) => {
    both = resolve;
  });
  // Neither answer is there before both were asked for.
  const ask = async (of: Presented) => {
    expect(of.passkeys).toMatchObject([{ counter: 0 }]);
    if (++asked === 2) both();
    await together;
    return good;
  };
  const results = await Promise.all(presented.map((one) => appraised(sql, one, ask, NOW)));
  expect(results.filter(({ ok }) => ok)).toHaveLength(1);
  expect(passkeysOf(sql, ann)).toMatchObject([{ counter: 7 }]);
  expect(await appraised(sql, await shown(device, 6), async () => good, NOW)).toMatchObject({ ok: false });
  expect(await appraised(sql, await shown(device, 8), async () => good, NOW)).toEqual(good);
});

it("M1 M20 a passkey that was removed while the verifier was asked vouches for nothing, and is its user's alone", async () => {
  const { sql, device, id } = await withPasskey();
  expect(removePasskey(sql, { user: bob, origin: page.app }, id).ok).toBe(false);
  const ask = async () => {
    expect(removePasskey(sql, { user: ann, origin: page.app }, id).ok).toBe(true);
    return good;
  };
  expect(await appraised(sql, await shown(device, 7), ask, NOW)).toMatchObject({ ok: false });
});

it("M1 M20 a passkey is removed by the app in whose page it was made, and by no other of the tenant's", async () => {
  const { sql, id } = await withPasskey();
  expect(removePasskey(sql, { user: ann, origin: "https://other.example" }, id)).toMatchObject({
    problem: { code: "not-found" },
  });
  expect(removePasskey(sql, { user: ann, origin: "" }, id).ok).toBe(false);
  expect(passkeysOf(sql, ann)).toHaveLength(1);
  expect(removePasskey(sql, { user: ann, origin: page.app }, id).ok).toBe(true);
});

it("M1 M20 a challenge works once, within its time, for whom it was given to", () => {
  const sql = opened();
  const open = (user = ann) => {
    const found = openChallenge(sql, user, NOW);
    if (!found.ok) throw new Error(found.reason);
    return found.value;
  };
  const { challenge, expires } = open();
  expect(consumeChallenge(sql, { challenge, user: ann }, NOW).ok).toBe(true);
  expect(consumeChallenge(sql, { challenge, user: ann }, NOW)).toMatchObject({
    problem: { code: "invalid-grant" },
  });
  const late = open();
  expect(consumeChallenge(sql, { challenge: late.challenge, user: ann }, expires)).toMatchObject({
    reason: "challenge expired",
  });
  const foreign = open();
  expect(consumeChallenge(sql, { challenge: foreign.challenge, user: bob }, NOW)).toMatchObject({
    problem: { code: "foreign-custodian" },
  });
  expect(consumeChallenge(sql, { challenge: foreign.challenge, user: ann }, NOW).ok, "used up").toBe(false);
  for (let i = 0; i < 40; i++) open();
  expect(sql.exec("SELECT * FROM passkey_challenges WHERE user = ?", ann).toArray()).toHaveLength(16);
});
