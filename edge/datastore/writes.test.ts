import { beforeEach, describe, expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import {
  beginCompletion,
  beginWrite,
  type DocumentRow,
  endWrite,
  findDocument,
  finishCompletion,
  forget,
  insertDocument,
  markDeleted,
  recordMetadata,
  recordPart,
  setUpload,
} from "./documents.ts";
import { contentKey, metadataKey } from "./keys.ts";
import { MIGRATIONS } from "./schema.ts";
import { type Bucket, erase, joinParts, type Place, type Rows, storeMetadata } from "./writes.ts";

const OWNER = { account: "a1", client: "page" };
const PARTS = { parts: [{ part: 1, etag: "e" }], size: 9 };
const MESSAGE = new Uint8Array(5);

let sql: SqlStorage;
let objects: Map<string, number>;
let place: Place;
let abortFails: string | undefined;
/** What happens while R2 works: before it has stored, and after. */
let meanwhile: { before?: () => Promise<void>; after?: () => Promise<void> };

beforeEach(() => {
  sql = sqlStorage(MIGRATIONS);
  objects = new Map();
  meanwhile = {};
  abortFails = undefined;
  async function store<T>(key: string, size: number, answer: T): Promise<T> {
    const { before, after } = meanwhile;
    meanwhile = {};
    await before?.();
    objects.set(key, size);
    await after?.();
    return answer;
  }
  const bucket = {
    put: (key: string, message: Uint8Array) => store(key, message.length, {}),
    delete: async (keys: string[]) => {
      for (const key of keys) objects.delete(key);
    },
    head: async (key: string) => (objects.has(key) ? { size: objects.get(key) } : null),
    resumeMultipartUpload: (key: string) => ({
      complete: () => store(key, PARTS.size, { size: PARTS.size, httpEtag: '"e"' }),
      abort: async () => {
        if (abortFails) throw new Error(abortFails);
      },
    }),
  } as unknown as Bucket;
  const rows: Rows = {
    tookMetadata: async (id, size) => recordMetadata(sql, id, size, 1),
    completed: async (id, etag) => {
      endWrite(sql, id);
      return finishCompletion(sql, id, etag);
    },
    wrote: async (id) => endWrite(sql, id),
    removed: async (id) => forget(sql, id),
  };
  place = { bucket, rows, tenant: "acme" };
});

const rowsLeft = () => [...sql.exec<DocumentRow>("SELECT * FROM documents")];
const row = (id: string) => rowsLeft().find((each) => each.id === id)!;

/** An upload with its one part, and its metadata if asked for. */
async function upload(withMetadata: boolean): Promise<string> {
  const made = insertDocument(sql, OWNER, 1);
  if (!made.ok) throw new Error();
  const { id } = made.value;
  setUpload(sql, id, "u");
  recordPart(sql, id, { part: 1, etag: "e" }, PARTS.size, 1);
  if (withMetadata) await metadata(id);
  return id;
}
function metadata(id: string) {
  beginWrite(sql, id);
  return storeMetadata(place, row(id), MESSAGE);
}
function complete(id: string, digest = "digest") {
  const begun = beginCompletion(sql, row(id), PARTS, 1, digest);
  if (!begun.ok) throw new Error(begun.reason);
  if (begun.value.state !== "complete") beginWrite(sql, id);
  return joinParts(place, begun.value, PARTS);
}
async function remove(id: string): Promise<void> {
  const by = { client: "page" };
  const found = findDocument(sql, id, by, ["pending", "completing", "complete"]);
  if (!found.ok) throw new Error(found.reason);
  markDeleted(sql, id, 1);
  await erase(place, found.value);
}

describe("a document that is deleted", () => {
  it("is gone at once when nothing is under way", async () => {
    const id = await upload(true);
    expect((await complete(id)).ok).toBe(true);
    expect([...objects.keys()]).toEqual([metadataKey("acme", row(id)), contentKey("acme", row(id))]);
    await remove(id);
    expect([objects.size, rowsLeft()]).toEqual([0, []]);
  });

  it.each(["before", "after"] as const)(
    "leaves nothing in R2 when its parts are being joined (%s)",
    async (when) => {
      const id = await upload(true);
      meanwhile = {
        [when]: async () => {
          await remove(id);
          expect(row(id)).toMatchObject({ state: "deleted", writing: 1 });
        },
      };
      expect(await complete(id)).toMatchObject({ ok: false, problem: { code: "conflict" } });
      expect([objects.size, rowsLeft()]).toEqual([0, []]);
    },
  );

  it.each(["before", "after"] as const)(
    "leaves nothing in R2 when its metadata is on the way (%s)",
    async (when) => {
      const id = await upload(false);
      meanwhile = { [when]: () => remove(id) };
      expect(await metadata(id)).toMatchObject({ ok: false, problem: { code: "not-found" } });
      expect([objects.size, rowsLeft()]).toEqual([0, []]);
    },
  );

  it("keeps its row, for the alarm, when R2 may still have its parts", async () => {
    const id = await upload(true);
    abortFails = "abortMultipartUpload: We encountered an internal error. Please try again. (10001)";
    await expect(remove(id)).rejects.toThrow("10001");
    expect(row(id)).toMatchObject({ state: "deleted" });
    abortFails = "abortMultipartUpload: The specified multipart upload does not exist. (10024)";
    await erase(place, row(id));
    expect(rowsLeft()).toEqual([]);
  });

  it("keeps its row, for the alarm, when the writer never comes back", async () => {
    const id = await upload(true);
    meanwhile = {
      before: () => remove(id),
      after: async () => {
        throw new Error("the worker died");
      },
    };
    place.rows.wrote = async () => {};
    await expect(metadata(id)).rejects.toThrow("died");
    expect(objects.size).toBe(1);
    expect(row(id)).toMatchObject({ state: "deleted", writing: 1 });
    forget(sql, id);
    expect(rowsLeft()).toHaveLength(1);
    forget(sql, id, { overdue: true });
    expect(rowsLeft()).toEqual([]);
  });

  it("keeps its row while R2 does not confirm", async () => {
    const id = await upload(true);
    place.bucket.delete = async () => {
      throw new Error("R2 is away");
    };
    await expect(remove(id)).rejects.toThrow("away");
    expect(row(id)).toMatchObject({ state: "deleted" });
  });
});

it("a document that is completed twice at once stays, and both attempts succeed", async () => {
  const id = await upload(true);
  meanwhile = {
    after: async () => {
      expect((await complete(id)).ok).toBe(true);
    },
  };
  expect((await complete(id)).ok).toBe(true);
  expect(row(id)).toMatchObject({ state: "complete", writing: 0 });
  expect(objects.has(contentKey("acme", row(id)))).toBe(true);
});

it("a completion is answered again as the first time, though its parts are forgotten, and R2 is not asked", async () => {
  const id = await upload(true);
  const first = await complete(id);
  expect(first).toMatchObject({ ok: true, value: { size: PARTS.size, etag: '"e"' } });
  place.bucket.resumeMultipartUpload = () => {
    throw new Error("R2 was asked");
  };
  expect(await complete(id)).toEqual(first);
  expect(() => complete(id, "another")).toThrow("document was completed otherwise");
});

it("a write that fails can be tried again", async () => {
  const id = await upload(true);
  meanwhile = {
    before: async () => {
      throw new Error("R2 is away");
    },
  };
  expect(await complete(id)).toMatchObject({ ok: false, problem: { code: "internal" } });
  expect(row(id)).toMatchObject({ state: "completing", writing: 0 });
  expect((await complete(id)).ok).toBe(true);
});
