import { expect, it } from "vitest";
import { CofferError } from "#protocol/error.ts";
import { nextDocumentId, type ReEncryptProgress, type ReEncrypts, reEncryptAll } from "./re-encryption.ts";

const ACCOUNT = "account-1";

/** Documents that have an id and a time; what is sealed again comes later than all. */
class Stored implements ReEncrypts {
  rows: { id: string; account: string; created: Date }[];
  sealed: string[] = [];
  failing = new Map<string, Error>();
  /** Is stopped before the old document goes. */
  cutOff: string | undefined;

  constructor(...ids: string[]) {
    this.rows = ids.map((id, i) => ({ id, account: ACCOUNT, created: new Date(1000 + i) }));
  }

  listed = async () => [...this.rows];

  async giveWay(id: string) {
    this.rows = this.rows.filter((row) => row.id !== id);
  }

  async reEncrypt(id: string): Promise<never> {
    const failure = this.failing.get(id);
    if (failure) throw failure;
    this.sealed.push(id);
    const next = await nextDocumentId({ account: ACCOUNT, id });
    this.rows.push({ id: next, account: ACCOUNT, created: new Date(9000 + this.rows.length) });
    if (this.cutOff === id) throw new CofferError("offline");
    await this.giveWay(id);
    return undefined as never;
  }
}

const lasting = (error: unknown) => error instanceof CofferError && error.code === "offline";
const all = (stored: Stored, options = {}) => reEncryptAll(stored, ACCOUNT, options, lasting);

it("W10 all documents of an account are sealed again, the oldest first, and none twice", async () => {
  const stored = new Stored("a", "b", "c");
  const told: ReEncryptProgress[] = [];
  const { done, failed, before } = await all(stored, {
    onProgress: (one: ReEncryptProgress) => told.push(one),
  });
  expect([done, failed, stored.sealed]).toEqual([3, 0, ["a", "b", "c"]]);
  expect(told.map(({ done }) => done)).toEqual([0, 1, 2, 3]);
  expect(stored.rows).toHaveLength(3);
  expect(await all(stored, { before })).toMatchObject({ all: 0, done: 0 });
});

it("W10 who was cut off before the old document went goes on with what is left, and leaves nothing twice", async () => {
  const stored = new Stored("a", "b", "c");
  const before = new Date(1002);
  stored.cutOff = "b";
  await expect(all(stored, { before })).rejects.toMatchObject({ code: "offline" });
  expect(stored.rows).toHaveLength(4);
  expect(await all(stored, { before })).toMatchObject({ all: 2, done: 2, failed: 0 });
  expect(stored.sealed).toEqual(["a", "b", "c"]);
  expect(stored.rows.map(({ id }) => id)).toEqual(
    await Promise.all(["a", "b", "c"].map((id) => nextDocumentId({ account: ACCOUNT, id }))),
  );
});

it("W10 a document that cannot be opened stays as it was, and the others are done", async () => {
  const stored = new Stored("a", "b", "c");
  stored.failing.set("b", new CofferError("decrypt-failed"));
  expect(await all(stored)).toMatchObject({ all: 3, done: 2, failed: 1 });
  expect(stored.rows.map(({ id }) => id)).toContain("b");
});

it("W10 a signal stops it between two documents", async () => {
  const stored = new Stored("a", "b", "c");
  const stop = new AbortController();
  const onProgress = ({ done }: ReEncryptProgress) => done === 1 && stop.abort();
  await expect(all(stored, { signal: stop.signal, onProgress })).rejects.toMatchObject({
    name: "AbortError",
  });
  expect(stored.sealed).toEqual(["a"]);
});

it("the id of what is sealed again is of its kind, and another in another account", async () => {
  const id = "0192f0d4-0000-8000-8000-000000000000";
  const next = await nextDocumentId({ account: ACCOUNT, id });
  expect(next).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(await nextDocumentId({ account: "another", id })).not.toBe(next);
  expect(await nextDocumentId({ account: ACCOUNT, id: next })).not.toBe(id);
});
