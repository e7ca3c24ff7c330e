/** Level `account` on the real parts: the instance has its account's key, and opens that account's documents itself. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { type Client, connect } from "#cli/client.ts";
import type { Step } from "#web/microservice/index.ts";
import { useSystem } from "../system/index.ts";

const system = useSystem({ level: "account" });
const steps: Step[] = [];
let client: Client;
beforeAll(async () => {
  const { appOrigin: app, vaultOrigin: vault } = system;
  const instance = { watch: (step: Step) => void steps.push(step) };
  client = await connect({ app, vault, rootKey: system.running.rootKey, user: "Ada", instance });
});
afterAll(() => client?.close());

const told = () =>
  steps
    .splice(0)
    .map((step) => [step.step, step.what, "whom" in step && step.whom].filter(Boolean).join(" "));

it("W1 at level account the instance is given the account key, never the master key, and opens documents without asking", async () => {
  const { instance, port } = await client.microservice.use();
  expect(instance.level).toBe("account");
  const account = client.account();
  const bytes = new TextEncoder().encode("a letter");
  const { id } = await client.documents.seal(bytes, account, { name: "letter.txt" });
  const asked = told();
  expect(asked.filter((line) => line.startsWith("ask")).sort()).toEqual([
    ...["ask account key KMS", "ask data key KMS", "ask key identifier IAM", "ask token IAM"],
  ]);
  expect(asked.filter((line) => line.startsWith("decrypt"))).toEqual([
    "decrypt account key",
    "decrypt data key",
  ]);
  await port.lock();
  told();
  const opened = await client.documents.open(id, { account });
  expect(await new Response(opened.stream).text()).toBe("a letter");
  expect(told().filter((line) => line.startsWith("ask"))).toEqual([]);
});

it("Sharing is refused at level account, where documents are under one key of the account", async () => {
  const { id: other } = await client.life.create("Another");
  const { id } = await client.documents.seal(new TextEncoder().encode("mine"), client.account(), {
    name: "mine.txt",
  });
  await expect(client.sharing.share(id, other)).rejects.toMatchObject({
    code: "key-unusable",
    message: expect.stringContaining("Seal it in an account that both of you are members of."),
  });
  expect(await client.sharing.shares()).toEqual([]);
});
