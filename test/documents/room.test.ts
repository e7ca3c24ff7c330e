/** The last room of an account: real parts side by side, against workerd and its R2, and what is left in the bucket. */

import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { expect, it } from "vitest";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { changeRows, readRows, useSystem } from "../system/index.ts";

const QUOTA = 100_000;
const system = useSystem({ vars: { COFFER_BYTES_PER_ACCOUNT: String(QUOTA) } });

/** Bytes that lie in the bucket for an account: objects, and parts of uploads that are neither complete nor gone. */
function stored(account: string): number {
  const own = (key: unknown) => String(key).split("/")[1] === account;
  const open = new Set(
    readRows(system.edgeDir, "_mf_multipart_uploads")
      .filter(({ key, state }) => state === 0 && own(key))
      .map(({ upload_id }) => upload_id),
  );
  const parts = readRows(system.edgeDir, "_mf_multipart_parts").filter(({ upload_id }) =>
    open.has(upload_id),
  );
  const objects = readRows(system.edgeDir, "_mf_objects").filter(({ key }) => own(key));
  return [...parts, ...objects].reduce((sum, { size }) => sum + Number(size), 0);
}

async function opened(client: EdgeClient): Promise<string> {
  return json<{ id: string }>(await client.rest("POST", client.documents, {})).id;
}

/** A part of which half is on its way. */
async function half(client: EdgeClient, id: string, size: number, part = 1) {
  const path = `${client.documents}/${id}/parts/${part}`;
  const { hostname, port } = new URL(client.app);
  const sent: ClientRequest = request({
    host: "127.0.0.1",
    port,
    path,
    method: "PUT",
    agent: false,
    headers: {
      ...(await client.headers("PUT", path)),
      host: `${hostname}:${port}`,
      "content-type": "application/octet-stream",
      "content-length": String(size),
    },
  });
  const answer = new Promise<number>((resolve) => {
    sent.on("error", () => resolve(0));
    sent.on("response", (response: IncomingMessage) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
  });
  sent.write(new Uint8Array(size / 2));
  const finish = () => {
    sent.end(new Uint8Array(size / 2));
    return answer;
  };
  return { answer, finish, breakOff: () => void sent.destroy() };
}
const held = (account: string) => {
  const ids = readRows(system.edgeDir, "documents").filter((row) => row.account === account);
  const own = new Set(ids.map(({ id }) => id));
  return readRows(system.edgeDir, "parts")
    .filter(({ document }) => own.has(document))
    .reduce((sum, row) => sum + Number(row.held), 0);
};
const fill = (client: EdgeClient, id: string, size: number, part = 1) =>
  client.rest("PUT", `${client.documents}/${id}/parts/${part}`, new Uint8Array(size));

it("parts side by side never share it: what is refused is not stored", async () => {
  const ada = await EdgeClient.signedIn(system, "Ada");
  const ids: string[] = [];
  for (let i = 0; i < 8; i++) ids.push(await opened(ada));
  const parts = await Promise.all(ids.map((id) => half(ada, id, 40_000)));
  // All are under way at once, and some are refused before they have sent the rest.
  await expect.poll(() => held(ada.account)).toBe(80_000);
  const statuses = await Promise.all(parts.map(({ finish }) => finish()));
  expect(statuses.filter((status) => status === 200)).toHaveLength(2);
  await expect.poll(() => stored(ada.account)).toBe(80_000);
  // The same with nothing held back, in one upload.
  const many = await Promise.all(
    Array.from({ length: 20 }, (_, n) => fill(ada, ids[0]!, 9_000, n + 2).then(({ status }) => status)),
  );
  expect(many.filter((status) => status === 200)).toHaveLength(2);
  expect(many.filter((status) => status === 403)).toHaveLength(18);
  expect(stored(ada.account)).toBeLessThanOrEqual(QUOTA);
  expect(problem(await fill(ada, ids[1]!, 9_000, 30))).toBe("403 quota-exceeded");
});

it("a part that breaks off gives it back", async () => {
  const bob = await EdgeClient.signedIn(system, "Bob");
  const [id, other] = [await opened(bob), await opened(bob)];
  for (let i = 0; i < 2; i++) {
    const part = await half(bob, id, 90_000, i + 1);
    await expect.poll(() => held(bob.account)).toBe(90_000);
    expect(problem(await fill(bob, other, 20_000))).toBe("403 quota-exceeded");
    part.breakOff();
    await expect.poll(() => held(bob.account), { timeout: 60_000 }).toBe(0);
  }
  expect((await fill(bob, other, 90_000)).status).toBe(200);
  expect(stored(bob.account)).toBe(90_000);
});

it("sealed metadata takes its room as parts do", async () => {
  const carol = await EdgeClient.signedIn(system, "Carol");
  const ids: string[] = [];
  for (let i = 0; i < 8; i++) ids.push(await opened(carol));
  const statuses = await Promise.all(
    ids.map((id) => carol.rest("PUT", `${carol.documents}/${id}/metadata`, new Uint8Array(30_000))),
  );
  expect(statuses.filter(({ status }) => status === 204)).toHaveLength(3);
  expect(stored(carol.account)).toBe(90_000);
});

it("an upload that was left is swept from the bucket, and gives it back", async () => {
  const dora = await EdgeClient.signedIn(system, "Dora");
  const left = await opened(dora);
  expect((await fill(dora, left, 70_000)).status).toBe(200);
  const part = await half(dora, left, 20_000, 2);
  await expect.poll(() => held(dora.account)).toBe(90_000);
  const next = await opened(dora);
  expect(problem(await fill(dora, next, 20_000))).toBe("403 quota-exceeded");
  // The whole server ends in the middle of a part: nobody knows what became of it.
  await system.restart(() => {
    const day = Date.now() - 25 * 3600_000;
    const statement = `UPDATE documents SET touched = ${day} WHERE id = '${left}'`;
    expect(changeRows(system.edgeDir, "documents", statement)).toBe(1);
  });
  part.breakOff();
  await expect.poll(() => stored(dora.account), { timeout: 90_000, interval: 500 }).toBe(0);
  await expect.poll(async () => (await fill(dora, next, 90_000)).status, { timeout: 20_000 }).toBe(200);
}, 150_000);
