import { expect, it } from "vitest";
import { CofferError, type CofferErrorOptions, codeOf, type ErrorCode } from "#protocol/error.ts";
import { type HeldDocument, holdAgainst, type Synced } from "./held-list.ts";

const NOTHING = { hidden: [], changed: [], deleted: [], unknown: [] };

/** A list of documents by these ids, held against an index that tells of them as `told`, and is read a second time with `second`. */
async function held(synced: Synced, told: Partial<Record<keyof typeof NOTHING, string[]>>, second: Synced) {
  const document = (id: string): HeldDocument => ({
    ...{ id, account: "a", created: new Date(0), sealedSize: 1, metadata: {} },
  });
  const documents = ["changed", "deleted", "sound"].map(document);
  const founded: unknown[] = [];
  const index = {
    async sync() {
      if ("error" in second) throw second.error;
      return second;
    },
    compare: async () => ({ ...NOTHING, ...told }),
    found: async (...of: unknown[]) => void founded.push(of),
  };
  const list = { account: "a", documents, content: () => undefined, again: async () => {} };
  const outcome = await holdAgainst(index, synced, list).then(() => "passed", codeOf);
  const states = documents.map(({ id, state }) => [id, state]);
  return { outcome, states: Object.fromEntries(states), founded };
}

const failed = (code: ErrorCode, options?: CofferErrorOptions): Synced => ({
  error: new CofferError(code, options),
});
const AMISS = { hidden: ["hidden"], changed: ["changed"], deleted: ["deleted"] };
const MARKED = { changed: "changed", deleted: "deleted", hidden: "hidden", sound: undefined };

it.each<[ErrorCode, CofferErrorOptions?]>([
  ["offline"],
  ["http-502", { status: 502 }],
  ["too-many-requests", { status: 429 }],
  ["busy", { status: 503 }],
  ["hsm-unavailable", { status: 503 }],
  ["no-microservice", { status: 503 }],
  ["port-closed"],
  ["vault-unreachable"],
  ["internal", { status: 500 }],
])("shows a list where its index cannot be read for a time: %s", async (code, options) => {
  expect(await held(failed(code, options), {}, { founded: true })).toMatchObject({ outcome: "passed" });
});

it.each<[ErrorCode, CofferErrorOptions?]>([
  ["internal"],
  ["unexpected-response"],
  ["answer-invalid"],
  ["port-violation"],
  ["version-unsupported"],
  ["storage-denied"],
  ["bad-request", { status: 400 }],
  ["not-found", { status: 404 }],
  ["forbidden", { status: 403 }],
  ["pending-deletion", { status: 403 }],
  ["decrypt-failed"],
  ["signed-out"],
  ["cancelled"],
  ["index-refused"],
])("has somebody hear of what keeps an index from being read for good: %s", async (code, options) => {
  expect(await held(failed(code, options), {}, { founded: true })).toMatchObject({ outcome: code });
});

it("has somebody hear of what is no error of the kit's", async () => {
  const fault = { error: new TypeError("a fault") };
  expect(await held(fault, {}, { founded: true })).toMatchObject({ outcome: "internal" });
});

it("marks what was found amiss where the index cannot be read a second time", async () => {
  const busy = failed("too-many-requests", { status: 429 });
  expect(await held({ founded: true }, AMISS, busy)).toMatchObject({ outcome: "passed", states: MARKED });
  const refused = failed("index-refused");
  const both = await held({ founded: true }, AMISS, refused);
  expect(both).toMatchObject({ outcome: "index-refused", states: MARKED });
  // Nothing is taken over by an index that is not known.
  expect((await held({ founded: false }, AMISS, busy)).founded).toEqual([]);
});
