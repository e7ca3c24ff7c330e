import { expect, it } from "vitest";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { SIGN_TYPE } from "#protocol/hierarchy/index.ts";
import { isSignedBy, type MasterReceipt, proofInput, signingInput } from "#protocol/keys/index.ts";
import { MasterReceipts, RECEIPT_SECONDS, type Said } from "./master-receipts.ts";
import type { EncryptedMaster } from "./master-release.ts";

const START = 1_800_000_000;
const POLL = 30_000;
const SAID: Said = {
  ...{ version: 1, kind: "master", wrappedKeyDigest: "d", keyId: "7", keyVersion: 1 },
  ...{ recipient: "r", tenant: "acme" },
};

/** An HSM that counts what it signs; without a signature, which is not what is tried here. */
function setup() {
  let now = START * 1000;
  const hsm = { signed: [] as MasterReceipt[], away: false };
  const receipts = new MasterReceipts({ poll: POLL }, () => now);
  const sign = async (receipt: MasterReceipt) => {
    if (hsm.away) throw new Error("away");
    hsm.signed.push(receipt);
    return signingInput({ typ: SIGN_TYPE.receipt, kid: "k" }, receipt);
  };
  const copy = (): EncryptedMaster => ({ keyId: "7", wrappedKey: new Uint8Array(384) });
  const challenges = Array.from({ length: 8 }, (_, at) => encodeBase64url(new Uint8Array(32).fill(at)));
  const ask = (master: EncryptedMaster, at: number, said = SAID, notAfter = START + 86_400) =>
    receipts.answer(master, said, { challenge: challenges[at]!, notAfter }, sign);
  return { hsm, ask, copy, challenges, pass: (ms: number) => (now += ms) };
}

it("W3 asks the HSM for a receipt once, and has later starts vouched for by the key that it names", async () => {
  const { hsm, ask, copy, challenges } = setup();
  const master = copy();
  const { receipt, proof } = await ask(master, 0);
  expect(proof).toBeUndefined();
  const [said] = hsm.signed;
  expect(said).toMatchObject({ ...SAID, challenge: challenges[0], iat: START, exp: START + RECEIPT_SECONDS });
  for (const at of [1, 2]) {
    const hit = await ask(master, at);
    expect(hit.receipt).toBe(receipt);
    const input = proofInput(receipt, challenges[at]!);
    expect(await isSignedBy(said!.cnf!.jwk, decodeBase64url(hit.proof!), input)).toBe(true);
  }
  expect(hsm.signed).toHaveLength(1);
});

it("W3 has the HSM sign for another copy, and for whatever else it would say", async () => {
  const { hsm, ask, copy } = setup();
  const master = copy();
  await ask(master, 0);
  await ask(copy(), 1);
  await ask(master, 2, { ...SAID, recipient: "another" });
  await ask(master, 3, { ...SAID, recipient: "another", keyVersion: 2 });
  await ask(master, 4, { ...SAID, recipient: "another", keyVersion: 2, secondLayer: "data-key" });
  expect(hsm.signed).toHaveLength(5);
  expect(new Set(hsm.signed.map(({ cnf }) => cnf!.jwk.x)).size).toBe(5);
});

it("W8 has it signed again at the poll, and while the HSM is away goes on until the receipt ends", async () => {
  const { hsm, ask, copy, pass } = setup();
  const master = copy();
  await ask(master, 0);
  pass(POLL);
  expect((await ask(master, 1)).proof).toBeUndefined();
  expect(hsm.signed).toHaveLength(2);
  hsm.away = true;
  pass(POLL);
  expect((await ask(master, 2)).proof).toBeDefined();
  pass(RECEIPT_SECONDS * 1000 - POLL - 1000);
  expect((await ask(master, 3)).proof).toBeDefined();
  pass(1000);
  await expect(ask(master, 4)).rejects.toThrow("away");
  hsm.away = false;
  expect((await ask(master, 5)).proof).toBeUndefined();
});

it("has no receipt outlive the instance's certificates", async () => {
  const { hsm, ask, copy, pass } = setup();
  const master = copy();
  await ask(master, 0, SAID, START + 10);
  expect(hsm.signed[0]!.exp).toBe(START + 10);
  hsm.away = true;
  pass(10_000);
  await expect(ask(master, 1, SAID, START + 10)).rejects.toThrow("away");
});
