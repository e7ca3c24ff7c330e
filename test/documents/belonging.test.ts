/**
 * A datastore that has several contents and several metadata under one id, all of them genuine: what was not sealed together
 * is not opened together, and a document of today is not passed off as one of before.
 */

import { afterAll, beforeAll, expect, it } from "vitest";
import type { PortClient } from "#protocol/port/index.ts";
import { contentName, createDocumentId } from "#web/client/belonging.ts";
import { encodeMetadata, type SealedMetadata } from "#web/client/metadata.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json } from "../support/http.ts";
import { useSystem } from "../system/index.ts";
import { readStored, replaceStored } from "./bucket.ts";
import { bytesOf, connectNode } from "./node-client.ts";

const LENGTH = 300_000;

const system = useSystem();
let client: Awaited<ReturnType<typeof connectNode>>;
let uploader: EdgeClient;
let port: PortClient;
let edk: string;

beforeAll(async () => {
  [client, uploader] = await Promise.all([connectNode(system, "Ada"), EdgeClient.signedIn(system, "Ada")]);
  // So long that it goes up in parts.
  await client.documents.seal(new Uint8Array(200_000), uploader.account, { name: "first" });
  ({ port } = await client.microservice.use());
  const message = client.sent.find(({ path }) => path.includes("/parts/"))!.body;
  ({ edk } = await port.inspect(message));
});
afterAll(async () => {
  client?.close();
});

type Sealed = { content: Uint8Array<ArrayBuffer>; metadata: Uint8Array<ArrayBuffer> };

/** Seals as the custodian does, but under an id of one's own; `names` says what the metadata tells of its content. */
async function sealUnder(
  id: string,
  byte: number,
  names: (content: Uint8Array<ArrayBuffer>) => Promise<SealedMetadata["content"]> = contentName,
): Promise<Sealed> {
  const context = (purpose: string) => ({
    tenant: uploader.tokens.tenant,
    account: uploader.account,
    document: id,
    purpose,
  });
  const content = await bytesOf(
    port.seal({ edk, context: context("document") }, new Uint8Array(LENGTH).fill(byte)),
  );
  const named = await names(content);
  const plain = encodeMetadata({
    name: `${byte}.bin`,
    type: "a/b",
    size: LENGTH,
    ...(named ? { content: named } : {}),
  });
  return { content, metadata: await bytesOf(port.seal({ edk, context: context("metadata") }, plain)) };
}

async function store(id: string, { content, metadata }: Sealed): Promise<void> {
  await uploader.rest("POST", uploader.documents, { id });
  const part = json(await uploader.rest("PUT", `${uploader.documents}/${id}/parts/1`, content));
  await uploader.rest("PUT", `${uploader.documents}/${id}/metadata`, metadata);
  const done = await uploader.rest("POST", `${uploader.documents}/${id}/complete`, {
    parts: [part],
    size: content.length,
  });
  expect(done.status).toBe(200);
}

/** Opens as somebody who has not opened it before: the first byte, or the code of the error; and the name in the list. */
async function attempt(id: string): Promise<{ opened: number | string; listed: string | undefined }> {
  const reader = await connectNode(system, "Ada");
  try {
    // Before the list, whose copy of a name may be of what lay there when somebody else had it listed.
    const opened = await reader.documents
      .open(id)
      .then(async ({ stream }) => (await bytesOf(stream))[0]!)
      .catch(({ code }: { code: string }) => code);
    const listed = (await reader.documents.list([uploader.account])).find((each) => each.id === id)?.metadata
      ?.name;
    return { opened, listed };
  } finally {
    reader.close();
  }
}

/** Documents of before had an id of the datastore's and metadata without the name of the content. */
const nothing = async () => undefined;

it("content and metadata that were sealed together open, in the form of today and in that of before (positive control)", async () => {
  const [id, old] = [createDocumentId(), crypto.randomUUID()];
  await store(id, await sealUnder(id, 1));
  await store(old, await sealUnder(old, 2, nothing));
  expect(await attempt(id)).toEqual({ opened: 1, listed: "1.bin" });
  expect(await attempt(old)).toEqual({ opened: 2, listed: "2.bin" });
});

it.each([
  ["an id that the custodian chose", createDocumentId()],
  ["an id of before", crypto.randomUUID()],
])("under %s, content and metadata of two seals do not open together", async (_, id) => {
  const [one, two] = [await sealUnder(id, 3), await sealUnder(id, 4)];
  await store(id, one);
  replaceStored(system.edgeDir, id, "content", two.content);
  expect((await attempt(id)).opened).toBe("decrypt-failed");
  replaceStored(system.edgeDir, id, "metadata", two.metadata);
  expect(await attempt(id)).toEqual({ opened: 4, listed: "4.bin" });
  replaceStored(system.edgeDir, id, "content", one.content);
  expect((await attempt(id)).opened).toBe("decrypt-failed");
});

it("metadata that names the message but another header, or the header but another message, does not open", async () => {
  const random = Buffer.alloc(32, 9).toString("base64url");
  for (const wrong of [{ messageId: random }, { headerDigest: random }]) {
    const id = createDocumentId();
    await store(
      id,
      await sealUnder(id, 5, async (content) => ({ ...(await contentName(content)), ...wrong })),
    );
    expect(await attempt(id)).toEqual({ opened: "decrypt-failed", listed: "5.bin" });
  }
});

it("metadata in the form of before is not taken for a document whose id says that it is of today", async () => {
  const id = createDocumentId();
  const [today, before] = [await sealUnder(id, 6), await sealUnder(id, 7, nothing)];
  // Alone, and with the content that an older program sealed beside it, under an id that the datastore gave it again.
  await store(id, { content: today.content, metadata: before.metadata });
  expect(await attempt(id)).toEqual({ opened: "decrypt-failed", listed: undefined });
  replaceStored(system.edgeDir, id, "content", before.content);
  expect(await attempt(id)).toEqual({ opened: "decrypt-failed", listed: undefined });
});

it("what the custodian seals is under an id of its own, and its metadata names its content", async () => {
  const { id } = await client.documents.seal(new Uint8Array(LENGTH), uploader.account, { name: "own.bin" });
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const { context } = await port.inspect(readStored(system.edgeDir, id, "metadata"));
  const plain = await bytesOf(
    port.open({ context }, new Uint8Array(readStored(system.edgeDir, id, "metadata"))),
  );
  expect(JSON.parse(Buffer.from(plain).toString())).toMatchObject({
    format: 2,
    name: "own.bin",
    content: await contentName(readStored(system.edgeDir, id, "content")),
  });
});
