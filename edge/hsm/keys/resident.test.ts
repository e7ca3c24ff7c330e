import { expect, it } from "vitest";
import type { ResponseItem } from "#protocol/kmip/index.ts";
import { residentId, residentKeys } from "./resident.ts";

const made = (...ids: string[]) =>
  ids.map((uniqueIdentifier): ResponseItem => {
    const payload = { uniqueIdentifier, objectType: "SymmetricKey" as const };
    return { operation: "Create", resultStatus: "Success", payload };
  });

it("M19 takes the identifiers of keys that an HSM has made, each its own", () => {
  expect(residentKeys(made("1", "zwei")).map(residentId)).toEqual(["1", "zwei"]);
  for (const ids of [["1", "1"], [""], ["ü".repeat(65)]])
    expect(() => residentKeys(made(...ids)), ids.join()).toThrow(/^the HSM /);
});
