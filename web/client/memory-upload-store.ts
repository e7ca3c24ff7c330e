/** A store of waiting uploads for the life of one process, of one person. */

import { requireRoom, stays, type UploadStore, type WaitingUpload } from "./upload-store.ts";

export function memoryUploadStore(): UploadStore {
  const uploads = new Map<string, { owner: string; row: WaitingUpload; content: Blob }>();
  const keys = new Map<string, string[]>();
  let turn: Promise<unknown> = Promise.resolve();
  const of = (owner: string) => [...uploads.values()].filter((each) => each.owner === owner);
  const found = (owner: string, id: string) => of(owner).find(({ row }) => row.id === id);
  const pool = (owner: string, account: string) => keys.get(`${owner} ${account}`) ?? [];
  return {
    rows: async (owner) => of(owner).map(({ row }) => ({ ...row })),
    async add(owner, row, content) {
      const others = of(owner).map((each) => each.row);
      requireRoom(others, row.size);
      uploads.set(row.id, { owner, row: { ...row }, content });
    },
    async update(owner, id, change) {
      const one = found(owner, id);
      if (one) one.row = { ...one.row, ...change } as WaitingUpload;
      return one !== undefined;
    },
    content: async (owner, id) => found(owner, id)?.content,
    async remove(owner, id, as) {
      const one = found(owner, id);
      if (one && !stays(one.row, as)) uploads.delete(id);
      return one?.row;
    },
    keys: async (owner, account) => [...pool(owner, account)],
    async keepKeys(owner, account, edks, ended = []) {
      const kept = pool(owner, account).filter((edk) => !ended.includes(edk));
      keys.set(`${owner} ${account}`, [...kept, ...edks]);
    },
    takeKey: async (owner, account) => pool(owner, account).shift(),
    async clear(owner) {
      for (const [id, each] of uploads) if (owner === undefined || each.owner === owner) uploads.delete(id);
      for (const name of keys.keys())
        if (owner === undefined || name.startsWith(`${owner} `)) keys.delete(name);
    },
    alone(work) {
      const after = turn.then(work, work);
      turn = after.catch(() => {});
      return after;
    },
  };
}
