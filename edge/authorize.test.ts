import { describe, expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import { authorize } from "./authorize.ts";
import type { Caller } from "./caller.ts";
import { ok, refuse } from "./result.ts";
import type { Store } from "./store.ts";

const caller: Caller = {
  tenant: "acme",
  user: "u",
  custodian: "CN=u",
  client: "https://app.example",
  jkt: "k",
  origin: "https://app.example",
  requestId: "r",
};
const request = { action: "test:act", caller, resource: "thing/1", requestId: "r" };

function fixture(tenant = "acme") {
  const rows: Parameters<Store["record"]>[0][] = [];
  const store: Store = {
    sql: sqlStorage([]),
    tenant,
    transaction: (closure) => closure(),
    record: (row) => void rows.push(row),
    recordBounded: (row) => void rows.push(row),
    flush: async () => {},
  };
  return { store, rows };
}

describe("authorize", () => {
  it("records what it allows", () => {
    const { store, rows } = fixture();
    expect(authorize(store, request, () => ok(7))).toEqual({ ok: true, value: 7 });
    expect(rows).toEqual([expect.objectContaining({ outcome: "allow", user: "u", custodian: "CN=u" })]);
  });

  it("keeps the reason of a denial in the row and off the wire", () => {
    const { store, rows } = fixture();
    const result = authorize(store, request, () => refuse("forbidden", "secret reason"));
    expect(JSON.stringify(result)).not.toContain("secret reason");
    expect(result).toMatchObject({ ok: false, problem: { code: "forbidden", status: 403 } });
    expect(rows).toEqual([expect.objectContaining({ outcome: "deny", reason: "secret reason" })]);
  });

  it("denies by default", () => {
    const { store, rows } = fixture();
    const silent = (() => undefined) as never;
    expect(authorize(store, request, silent)).toMatchObject({ ok: false, problem: { code: "forbidden" } });
    const truthy = (() => ({ ok: "yes", problem: { code: "forbidden" } })) as never;
    expect(authorize(store, request, truthy).ok).toBe(false);
    expect(rows).toHaveLength(2);
  });

  it("refuses a caller of another tenant before the check runs", () => {
    const { store } = fixture("other");
    const result = authorize(store, request, () => expect.unreachable());
    expect(result).toMatchObject({ ok: false, problem: { code: "forbidden" } });
  });

  it("turns an exception into a denial with a row of its own", () => {
    const { store, rows } = fixture();
    const result = authorize(store, request, () => {
      throw new RangeError("with a detail");
    });
    expect(result).toMatchObject({ ok: false, problem: { code: "internal" } });
    expect(rows).toEqual([expect.objectContaining({ outcome: "error", reason: "RangeError" })]);
  });
});
