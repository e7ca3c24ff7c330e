/** A script that runs one command a document: each signs in and enrols again, with every bound at a tenth. */

import { expect, it } from "vitest";
import { connect } from "#cli/client.ts";
import { useSystem } from "./index.ts";

const system = useSystem({
  vars: {
    COFFER_REQUESTS_PER_TEN_SECONDS: "100",
    COFFER_SIGN_INS_PER_USER: "8",
    COFFER_INSTANCES_PER_USER: "4",
    COFFER_ENROLMENTS_PER_MINUTE: "16",
  },
});

it("many sign-ins of a script are let through, one after the other and two at a time, with waits that are told", async () => {
  const waits: number[] = [];
  const sealed = new Set<string>();
  const command = async () => {
    const { appOrigin: app, vaultOrigin: vault } = system;
    const { rootKey } = system.running;
    const client = await connect({ app, vault, rootKey, user: "alice", onWait: (wait) => waits.push(wait) });
    try {
      const account = client.identity.accounts[0]!.id;
      sealed.add((await client.documents.seal(new Uint8Array(10), account, { name: "a" })).id);
    } finally {
      client.close();
    }
  };
  for (let i = 0; i < 10; i++) await command();
  const left = Array.from({ length: 10 }, (_, n) => n).values();
  const work = async () => {
    for (const _ of left) await command();
  };
  await Promise.all([work(), work()]);
  expect(sealed.size).toBe(20);
  expect(waits.length).toBeGreaterThan(0);
}, 240_000);
