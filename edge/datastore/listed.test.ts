import { beforeEach, expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { beginWhole, finishCompletion, listDocuments } from "./documents.ts";
import { keepListed } from "./listed.ts";
import { MIGRATIONS } from "./schema.ts";

const A1 = { account: "a1", client: "page" };
let sql: SqlStorage;
let ids: string[];
beforeEach(() => {
  sql = sqlStorage(MIGRATIONS);
  ids = Array.from({ length: 40 }, (_, at) => `d${String(at).padStart(2, "0")}`);
  for (const id of ids) {
    beginWhole(sql, A1, { id, size: 9, metadata: 5, digest: id }, 1000);
    finishCompletion(sql, id, "e");
  }
});

const put = (edk: string, of: string[], client = "page", sealed = "AAAA") =>
  keepListed(sql, { client, edk, documents: of.map((id) => ({ id, sealed })) });

/** Of each document that has a copy, under which EDK. */
function listed(client = "page"): Record<string, string> {
  const page = listDocuments(sql, { ...A1, client }, undefined);
  if (!page.ok) throw new Error(page.reason);
  const { documents, keys = [] } = page.value;
  expect(new Set(keys).size).toBe(keys.length);
  return Object.fromEntries(
    documents.flatMap(({ id, listed }) => (listed ? [[id, keys[listed.key] ?? ""]] : [])),
  );
}

it("tells each EDK once, however many copies are under it", () => {
  put("a", ids.slice(0, 20));
  put("b", ids.slice(20, 30));
  const names = listed();
  expect(Object.values(names).filter((edk) => edk === "a")).toHaveLength(20);
  expect(Object.values(names).filter((edk) => edk === "b")).toHaveLength(10);
  expect(names[ids[35] ?? ""]).toBeUndefined();
});

it("keeps a copy under its key, and puts one under another key in its place", () => {
  put("a", ["d00"]);
  put("a", ["d00"], "page", "BBBB");
  const [row] = sql.exec<{ listed: Uint8Array }>("SELECT listed FROM documents WHERE id = 'd00'").toArray();
  expect(Buffer.from(row!.listed).toString("base64url")).toBe("AAAA");
  put("b", ["d00"]);
  expect(listed()).toEqual({ d00: "b" });
});

it("gives up the copies under the fewest where there are too many keys: made-up ones keep no genuine one out", () => {
  put("genuine", ids);
  for (const [at, id] of ids.slice(0, 35).entries()) put(`made-up-${at}`, [id]);
  expect(new Set(Object.values(listed())).size).toBeLessThanOrEqual(32);
  expect(listed().d39).toBe("genuine");
  put("next", ids);
  expect(new Set(Object.values(listed()))).toEqual(new Set(["next"]));
});

it("M13 puts no copy for a document of another app", () => {
  put("a", ids, "other");
  expect(listed()).toEqual({});
});
