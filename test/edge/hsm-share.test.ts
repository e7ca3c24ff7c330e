/** A tenant's share of the HSM: what one has under way keeps no other from it (docs/operations.md, "What reaches the HSM"). */

import { beforeAll, expect, it } from "vitest";
import { EdgeClient } from "../support/edge-client.ts";
import { problem } from "../support/http.ts";
import { useSystem } from "../system/index.ts";

// One at a time for all: of two at once one is too many, and who has none under way may always begin.
const system = useSystem({
  otherTenants: ["umbrella"],
  vars: { COFFER_HSM_REQUESTS_UNDER_WAY: "1" },
});
let ann: EdgeClient;
let zoe: EdgeClient;
beforeAll(async () => {
  ann = await EdgeClient.signedIn(system, "Ann");
  zoe = await EdgeClient.signedIn(system.tenant("umbrella"), "Zoe");
});

const order = (client: EdgeClient) =>
  client.rest("POST", "/kms/data-keys", { account: client.account, count: 1, purpose: "document" });

it("what one tenant asks for at once is refused beyond its share, with a time to come again, and another tenant gets all that it asks for", async () => {
  const flood = Promise.all(Array.from({ length: 60 }, () => order(ann)));
  for (let turn = 0; turn < 5; turn++) expect((await order(zoe)).status).toBe(201);
  const answers = await flood;
  const refused = answers.filter(({ status }) => status !== 201);
  expect(answers.length - refused.length).toBeGreaterThan(0);
  expect(refused.length).toBeGreaterThan(0);
  expect(new Set(refused.map(problem))).toEqual(new Set(["429 too-many-requests"]));
  expect(new Set(refused.map(({ headers }) => headers["retry-after"]))).toEqual(new Set(["1"]));
  expect((await order(ann)).status).toBe(201);
});

it("what ends something, and what does not reach the HSM, is refused to nobody for it", async () => {
  const flood = Array.from({ length: 40 }, () => order(ann));
  const path = `/accounts/${ann.account}/documents`;
  const others = await Promise.all([
    ...Array.from({ length: 10 }, () => ann.rest("GET", path)),
    ...Array.from({ length: 10 }, () => ann.rest("DELETE", `/ra/instances/${crypto.randomUUID()}`)),
  ]);
  expect(others.filter(({ status }) => status === 429)).toEqual([]);
  await Promise.all(flood);
});
