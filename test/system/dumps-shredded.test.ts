/** What is left of an account that was deleted (W11): no store opens its documents, with older dumps of all but the IAM beside them. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect } from "#cli/client.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json } from "../support/http.ts";
import { useSystem } from "./index.ts";
import { Dumps, operators } from "./operators.ts";

const SHREDDED = "of an account that is deleted";
const KEPT = "of an account that goes on";
const BACKUPS = operators.filter((operator) => operator !== "iam");

describe.each(["data", "master"] as const)("W11 an account that was deleted, level %s", (level) => {
  const system = useSystem({ split: true, level });
  let before: Dumps;
  let after: Dumps;

  async function seal(user: string, text: string): Promise<string> {
    const { appOrigin: app, vaultOrigin: vault, rootKey } = system.running;
    const client = await connect({ app, vault, rootKey, user });
    const source = new Blob([text]);
    const account = client.account();
    await client.documents.seal(source.stream(), account, {
      name: "a.txt",
      type: "text/plain",
      size: source.size,
    });
    client.close();
    return account;
  }

  beforeAll(async () => {
    const account = await seal("Fay", SHREDDED);
    await seal("Guy", KEPT);
    before = await Dumps.take(system);
    const fay = await EdgeClient.signedIn(system, "Fay");
    json(await fay.rest("POST", `/accounts/${account}/deletion`, { immediately: true }));
    expect((await fay.rest("GET", `/accounts/${account}`)).status).toBe(403);
    after = await Dumps.take(system);
  });
  afterAll(() => {
    before?.remove();
    after?.remove();
  });

  it("W11 its documents are closed for all operators together, with the HSM's key file and each other store as it was", async () => {
    const loot = await after.lootOfLive(...operators);
    before.into(loot, ...BACKUPS);
    // Those of before are among them, and those that the HSM has destroyed since.
    const both = [...after.keysOfHsm(), ...before.keysOfHsm()];
    const keys = [...new Map(both.map((key) => [Buffer.from(key).toString("hex"), key])).values()];
    for (const key of keys) loot.key(key);
    loot.searchDeleted(
      after.unit("iam"),
      keys.filter(({ length }) => length === 32),
    );
    const opened = await loot.open();
    expect(opened).toContain(KEPT);
    expect(opened).not.toContain(SHREDDED);
  });

  it("W11 with the IAM's as it was they open: the retention of that backup is the limit", async () => {
    const loot = before.into(after.lootOf(...operators), ...operators);
    for (const key of before.keysOfHsm()) loot.key(key);
    expect(await loot.open()).toEqual(expect.arrayContaining([KEPT, SHREDDED]));
  });
});
