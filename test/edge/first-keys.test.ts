/** The keys that an account is made with (W11), at level `account`: looked for before anybody asks for one. */

import { beforeAll, expect, it, vi } from "vitest";
import type { DataKeyVersion } from "#web/client/index.ts";
import { EdgeClient, newVerifier } from "../support/edge-client.ts";
import { killHsm, startHsmAgain, withHsmProcess } from "../support/hsm-child.ts";
import { type Answer, json } from "../support/http.ts";
import { readRows, useSystem } from "../system/index.ts";

vi.mock("#emulator/hsm/index.ts", async (original) => withHsmProcess(await original()));

const system = useSystem({ level: "account" });
let ann: EdgeClient;
beforeAll(async () => {
  ann = await EdgeClient.signedIn(system, "Ann");
});

async function create(): Promise<string> {
  const created = await ann.rest("POST", "/accounts", { name: "Another", nonce: crypto.randomUUID() });
  expect(created.status, created.text).toBe(201);
  return json<{ id: string }>(created).id;
}
/** Reading makes none. */
async function versions(account: string, by = ann): Promise<number[]> {
  const listed = await by.rest("GET", `/accounts/${account}/data-keys`);
  expect(listed.status, listed.text).toBe(200);
  return json<{ versions: DataKeyVersion[] }>(listed).versions.map(({ keyVersion }) => keyVersion);
}
/** Enc(account) at the IAM, of all accounts. */
const accountKeys = () => readRows(system.edgeDir, "account_keys").map(({ id }) => id);

it("W11 an account has its key and a first data key before anybody asks for either, as the one has that a first sign-in begins", async () => {
  await expect.poll(() => versions(ann.account)).toEqual([1]);
  expect(accountKeys()).toHaveLength(1);
  const account = await create();
  await expect.poll(() => versions(account)).toEqual([1]);
  expect(accountKeys()).toHaveLength(2);
  // A later sign-in of the same person makes none.
  await EdgeClient.signedIn(system, "Ann");
  expect(await versions(ann.account)).toEqual([1]);
  expect(accountKeys()).toHaveLength(2);
});

it("W11 a first sign-in while the HSM is away goes through, and its account gets its keys when that is back", async () => {
  const before = accountKeys().length;
  const bea = new EdgeClient(system);
  const verifier = newVerifier();
  const query = await bea.query(verifier);
  await killHsm();
  let entered: Answer;
  try {
    // Up to the code: the tokens are signed in the HSM.
    entered = await bea.signIn("Bea", query);
    expect(entered.status).toBe(303);
    expect(accountKeys()).toHaveLength(before);
  } finally {
    await startHsmAgain();
  }
  await expect.poll(() => accountKeys().length, { timeout: 60_000, interval: 500 }).toBe(before + 1);
  await bea.take(entered, verifier);
  await expect.poll(() => versions(bea.account, bea), { timeout: 60_000, interval: 500 }).toEqual([1]);
});

it("W11 an account that is made while the HSM is away gets its keys when that is back, by nobody's request", async () => {
  // The edge knows by now whose tokens it takes: that is asked of the HSM too.
  expect(await versions(ann.account)).toEqual([1]);
  const before = accountKeys().length;
  await killHsm();
  let account: string;
  try {
    account = await create();
    expect(await versions(account)).toEqual([]);
    expect(accountKeys()).toHaveLength(before);
  } finally {
    await startHsmAgain();
  }
  await expect.poll(() => accountKeys().length, { timeout: 60_000, interval: 500 }).toBe(before + 1);
  await expect.poll(() => versions(account), { timeout: 60_000, interval: 500 }).toEqual([1]);
});
