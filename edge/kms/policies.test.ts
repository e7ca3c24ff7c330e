import { expect, it, vi } from "vitest";
import { configuredPolicies } from "./policies.ts";

const statement = { effect: "allow", principals: "*", actions: "*", resources: "*" };
const policy = { statements: [statement] };
const read = (table: object, tenant = "acme") => configuredPolicies(JSON.stringify(table), tenant);

it("M12 has the policy of all tenants and that of the tenant, and none where there is none", () => {
  expect(configuredPolicies(undefined, "acme")).toEqual([]);
  expect(configuredPolicies("", "acme")).toEqual([]);
  expect(read({ "*": policy, acme: policy })).toHaveLength(2);
  expect(read({ "*": policy, acme: policy }, "umbrella")).toHaveLength(1);
  expect(read({ acme: policy }, "umbrella")).toEqual([]);
});

it("M12 decides nothing by a table that it cannot read, and tells the operator why", () => {
  const log = vi.spyOn(console, "error").mockImplementation(() => {});
  for (const table of [
    "{",
    "[]",
    JSON.stringify({ acme: { statements: [] } }),
    JSON.stringify({ acme: { operations: ["decrypt"] } }),
    JSON.stringify({ Acme: policy }),
    `{"acme":${JSON.stringify(policy)},"acme":${JSON.stringify(policy)}}`,
  ])
    expect(() => configuredPolicies(table, "umbrella"), table).toThrow();
  expect(log).toHaveBeenCalledTimes(6);
  expect(log.mock.calls[2]![0]).toContain("COFFER_POLICIES");
  log.mockRestore();
});
