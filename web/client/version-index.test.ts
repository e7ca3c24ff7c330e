import { expect, it } from "vitest";
import type { VersionPage, VersionsPut } from "#protocol/contract/index.ts";
import { CofferError } from "#protocol/error.ts";
import type { Params } from "#protocol/port/index.ts";
import type { VersionRow } from "#protocol/version-index.ts";
import type { Microservice } from "./microservice.ts";
import type { RequestOptions, RestClient } from "./rest.ts";
import { VersionIndex } from "./version-index.ts";

type Answers = {
  page?: (after: number) => VersionPage;
  put?: (rows: VersionRow[]) => VersionsPut | Promise<VersionsPut>;
};
const LEAD = { document: "00000000-0000-8000-8000-000000000001", first: "first", over: "over" };
const NO_CONFLICT: VersionsPut = { sequence: 1, founded: true, conflicts: [] };
const idOf = (at: number) => `00000000-0000-8000-8000-${at.toString(16).padStart(12, "0")}`;

/** A KMS that answers so, and a vault that takes what it is given, or not. */
function setup(
  { page, put }: Answers,
  refuse: (page: Params<"versions">) => string | undefined = () => undefined,
) {
  const [pages, puts]: [number[], VersionRow[][]] = [[], []];
  let sequence = 0;
  const rest = {
    json: async (method: string, path: string, { json }: RequestOptions = {}) => {
      if (method === "POST") {
        const { rows } = json as { rows: VersionRow[] };
        puts.push(rows);
        return (await put?.(rows)) ?? NO_CONFLICT;
      }
      const after = Number(new URLSearchParams(path.split("?")[1]).get("after"));
      pages.push(after);
      return page?.(after);
    },
  } as unknown as RestClient;
  const versions = async (taken: Params<"versions">) => {
    const code = refuse(taken);
    if (code === "index-refused") sequence = 0;
    if (code) throw new CofferError(code as "index-refused");
    if (taken.head) sequence = Number(taken.head);
    return { sequence, founded: true };
  };
  const microservice = { use: async () => ({ port: { versions } }) } as unknown as Microservice;
  return { index: new VersionIndex(rest, microservice), pages, puts };
}

it("sends rows together that come while others are under way", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { index, puts } = setup({ put: () => promise.then(() => NO_CONFLICT) });
  const entering = Array.from({ length: 151 }, (_, at) => index.enter("a", { document: idOf(at) }));
  resolve();
  await Promise.all(entering);
  expect(puts.map((rows) => rows.length)).toEqual([1, 100, 50]);
  // Accounts do not wait for each other, and what comes afterwards goes by itself.
  await Promise.all([index.enter("a", { document: idOf(1) }), index.enter("b", { document: idOf(1) })]);
  expect(puts).toHaveLength(5);
});

it("tells whether another follows what a document was to follow, or that was deleted", async () => {
  for (const [deleted, code] of [
    [true, "not-found"],
    [false, "conflict"],
  ] as const) {
    const standing = { document: LEAD.over, version: 2, ...(deleted && { deleted }) };
    const { index, puts } = setup({
      put: () => ({ ...NO_CONFLICT, conflicts: [{ document: LEAD.document, standing }] }),
    });
    await expect(index.enter("a", { document: LEAD.document }, LEAD)).rejects.toMatchObject({ code });
    expect(puts).toHaveLength(1);
  }
});

it("tells each of them what became of its own row, and enters an id again that was deleted", async () => {
  const standing = { document: idOf(2), version: 4, deleted: true };
  const { index, puts } = setup({
    put: (rows) => ({
      ...NO_CONFLICT,
      conflicts: rows.flatMap(({ document, version }) => {
        if (document === idOf(1)) return [{ document, standing: { ...standing, document, deleted: false } }];
        return document === idOf(2) && version !== 5 ? [{ document, standing }] : [];
      }),
    }),
  });
  const entering = [0, 1, 2].map((at) => index.enter("a", { document: idOf(at) }));
  const entered = await Promise.allSettled(entering);
  expect(entered.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  await expect(entering[1]).rejects.toMatchObject({ code: "conflict" });
  expect(puts.flat().filter(({ document }) => document === idOf(2))).toMatchObject([
    { version: 1 },
    { version: 5 },
  ]);
});

it("fails the rows of a request that fails, and none that come after it", async () => {
  let tries = 0;
  const { index } = setup({
    put: () => {
      if (tries++ === 0) throw new CofferError("forbidden");
      return NO_CONFLICT;
    },
  });
  await expect(index.enter("a", { document: idOf(1) })).rejects.toMatchObject({ code: "forbidden" });
  await index.enter("a", { document: idOf(1) });
});

it("reads on from where the vault is, and once more from the first row where that does not fit", async () => {
  let refusals = 0;
  const page = (after: number): VersionPage => ({ rows: [], sequence: 9, ...(after >= 5 && { head: "9" }) });
  const paged = (after: number): VersionPage => (after === 0 ? { rows: [], sequence: 5 } : page(after));
  const { index, pages } = setup({ page: paged }, ({ head }) =>
    head !== undefined && pages.length > 2 && refusals++ === 0 ? "index-refused" : undefined,
  );
  await Promise.all([index.sync("a"), index.sync("a")]);
  expect(pages).toEqual([0, 5]);
  await index.sync("a");
  expect(pages).toEqual([0, 5, 9, 0, 5]);
});

it("says so where it does not fit from the first row either, and where pages have no end", async () => {
  const refused = setup({ page: () => ({ rows: [], sequence: 1, head: "1" }) }, ({ head }) =>
    head === undefined ? undefined : "index-refused",
  );
  await expect(refused.index.sync("a")).rejects.toMatchObject({ code: "index-refused" });
  expect(refused.pages).toEqual([0, 0]);
  const endless = setup({ page: () => ({ rows: [], sequence: 0 }) });
  await expect(endless.index.sync("a")).rejects.toMatchObject({ code: "unexpected-response" });
  const superseded = setup({ page: () => ({ rows: [], sequence: 1, head: "1" }) }, ({ head }) =>
    head === undefined ? undefined : "index-superseded",
  );
  await expect(superseded.index.sync("a")).rejects.toMatchObject({ code: "index-superseded" });
  expect(superseded.pages).toEqual([0]);
});
