/** M21 in Node: a custodian whose microservice runs in a process of its own changes over to a new release while it works. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Client, connect } from "#cli/client.ts";
import { concat, utf8 } from "#protocol/bytes.ts";
import { readRows, useSystem } from "../system/index.ts";

const system = useSystem();
let code: Uint8Array;
let client: Client;

beforeAll(async () => {
  code = await readFile(join(system.dir, "web/node/microservice.js"));
  const { appOrigin: app, vaultOrigin: vault } = system;
  client = await connect({
    app,
    vault,
    rootKey: system.running.rootKey,
    user: "Ann",
    code: async () => code,
  });
});
afterAll(() => client?.close());

const read = async (id: string) =>
  new Uint8Array(await new Response((await client.documents.open(id)).stream).arrayBuffer());
const statusOf = (id: string) => readRows(system.edgeDir, "instances").find((row) => row.id === id)?.status;

it("M21 in Node a new release runs beside the old one: an upload under way ends on the old one, the rest goes to the new one, and the process of the app goes on", async () => {
  const account = client.account();
  const before = await client.microservice.use();
  const first = await client.documents.seal(utf8("before"), account, { name: "before.txt" });
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
  const writer = writable.getWriter();
  const half = new Uint8Array(4 * 1024 * 1024);
  const sealing = client.documents.seal(readable, account, { name: "long.bin" });
  await writer.write(half.fill(1));
  expect(await client.microservice.update(), "the same release").toBe(false);
  code = concat(code, utf8("\n// another release\n"));
  expect(await client.microservice.update()).toBe(true);

  const after = await client.microservice.use();
  expect(after.measurement).not.toBe(before.measurement);
  expect(after.instance.id).not.toBe(before.instance.id);
  expect(before.port.underWay, "the upload").toBeGreaterThan(0);
  const second = await client.documents.seal(utf8("meanwhile"), account, { name: "meanwhile.txt" });
  await writer.write(new Uint8Array(half.length).fill(2));
  await writer.close();
  const long = await read((await sealing).id);
  expect([long.length, long[0], long[half.length]]).toEqual([2 * half.length, 1, 2]);
  expect(Buffer.from(await read(first.id)).toString()).toBe("before");
  expect(Buffer.from(await read(second.id)).toString()).toBe("meanwhile");
  expect([statusOf(before.instance.id), statusOf(after.instance.id)]).toEqual(["active", "active"]);

  await expect.poll(() => statusOf(before.instance.id), { timeout: 90_000, interval: 1000 }).toBe("revoked");
  await expect(before.port.certificate()).rejects.toMatchObject({ code: "port-closed" });
  expect(Buffer.from(await read(first.id)).toString(), "documents open").toBe("before");
}, 150_000);
