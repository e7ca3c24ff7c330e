/** What one user can make is bounded, and a user within reason is not kept out: they wait, or enrol again. */

import { afterAll, expect, it } from "vitest";
import { type Client, connect } from "#cli/client.ts";
import { bytesOf } from "../documents/node-client.ts";
import { useSystem } from "./index.ts";

const system = useSystem({
  vars: {
    COFFER_REQUESTS_PER_TEN_SECONDS: "30",
    COFFER_INSTANCES_PER_USER: "2",
    COFFER_BYTES_PER_ACCOUNT: "100000",
  },
});
const clients: Client[] = [];
afterAll(async () => {
  for (const client of clients) client.close();
});

async function connectAs(user: string, onWait = (_: number) => {}): Promise<Client> {
  const { appOrigin: app, vaultOrigin: vault } = system;
  const client = await connect({ app, vault, rootKey: system.running.rootKey, user, onWait });
  clients.push(client);
  return client;
}
const seal = ({ documents, identity }: Client, size: number) =>
  documents.seal(new Uint8Array(size), identity.accounts[0]!.id, { name: "a" });

it("many small documents from a script are sealed, eight at a time, with waits that are told", async () => {
  const waits: number[] = [];
  const client = await connectAs("alice", (wait) => waits.push(wait));
  const names = Array.from({ length: 32 }, (_, n) => n).values();
  const sealed: string[] = [];
  const work = async () => {
    for (const _ of names) sealed.push((await seal(client, 10)).id);
  };
  await Promise.all(Array.from({ length: 8 }, work));
  expect(new Set(sealed).size).toBe(32);
  expect(waits.length).toBeGreaterThan(0);
}, 180_000);

it("a user with more devices than instances enrols again, and is kept out of none", async () => {
  const devices = [await connectAs("bob"), await connectAs("bob"), await connectAs("bob")];
  for (const device of [...devices, ...devices]) {
    const { id } = await seal(device, 7);
    expect((await bytesOf((await device.documents.open(id, {})).stream)).length).toBe(7);
  }
}, 120_000);

it("a full account is told so, and a deletion gives back", async () => {
  const client = await connectAs("carol");
  const { id } = await seal(client, 60_000);
  await expect(seal(client, 60_000)).rejects.toMatchObject({ code: "quota-exceeded" });
  await client.documents.remove(id);
  await seal(client, 60_000);
}, 60_000);
