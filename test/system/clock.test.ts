/** One tolerance for clocks: a custodian whose clock is off within it can do everything, and beyond it nothing. */

import { expect, it } from "vitest";
import { connect } from "#cli/client.ts";
import { CLOCK_TOLERANCE } from "#protocol/clock.ts";
import { bytesOf } from "../documents/node-client.ts";
import { useSystem } from "./index.ts";

const system = useSystem();

const connectAt = (seconds: number) =>
  connect({
    app: system.appOrigin,
    vault: system.vaultOrigin,
    rootKey: system.running.rootKey,
    user: "alice",
    now: () => Date.now() + seconds * 1000,
  });

/** As near to the edge of the tolerance as a slow machine allows. */
const EDGE = CLOCK_TOLERANCE - 60;

it.each([-EDGE, -61, 61, EDGE])("a clock that is %i s off does: enrol, seal, open", async (seconds) => {
  const text = new TextEncoder().encode(`sealed at ${seconds}`);
  await expect(sealedAndOpened(seconds, text)).resolves.toEqual(text);
});

async function sealedAndOpened(seconds: number, text: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const client = await connectAt(seconds);
  try {
    const { id } = await client.documents.seal(text, client.identity.accounts[0]!.id, { name: "a" });
    return await bytesOf((await client.documents.open(id, {})).stream);
  } finally {
    client.close();
  }
}

it.each([
  [-CLOCK_TOLERANCE - 120, "7 minutes behind"],
  [CLOCK_TOLERANCE + 120, "7 minutes ahead of"],
])("a clock that is %i s off does not sign in, and is told so", async (seconds, off) => {
  const error = await connectAt(seconds).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "clock-wrong" });
  expect(String(error)).toContain(off);
});
