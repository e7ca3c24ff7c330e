import { expect, it } from "vitest";
import { DEFAULT_BACK_END, type TenantBackEnd } from "#protocol/hierarchy/index.ts";
import { sqlStorage } from "#test/support/sql-storage.ts";
import type { Store } from "../store.ts";
import type { Context } from "./context.ts";
import { StandingRecord } from "./record-standing.ts";

type Standing = Awaited<ReturnType<Context["backEnd"]["standing"]>>;

function fixture() {
  const rows: string[] = [];
  const record: Store["record"] = ({ resource }) => void rows.push(resource);
  const store: Store = {
    ...{ sql: sqlStorage([]), tenant: "acme", record, recordBounded: record, flush: async () => {} },
    transaction: (closure) => closure(),
  };
  const answers: Record<"aws" | "hsm", Standing | undefined> = { aws: undefined, hsm: undefined };
  const asked: string[] = [];
  const standing = (name: "aws" | "hsm") => async () => {
    asked.push(name);
    const answer = answers[name];
    if (answer === undefined) throw new Error("it is away");
    return answer;
  };
  const backEnd = { standing: standing("aws"), beside: { standing: standing("hsm") } } as Context["backEnd"];
  return { rows, answers, asked, of: { store, backEnd } };
}

const settings = {
  ...DEFAULT_BACK_END,
  ...{ kind: "aws-kms", without: ["account-keys"], hsm: { without: ["release-policy"] } },
} as unknown as TenantBackEnd;

it("records each entry once, though another one answers later, or never", async () => {
  const { rows, answers, asked, of } = fixture();
  const standing = new StandingRecord();
  answers.aws = { name: "AWS KMS", keeps: ["sensitive", "release-policy"] } as Standing;
  for (let turn = 0; turn < 3; turn++) await standing.record(of, settings);
  expect(rows).toEqual(["back-end/AWS KMS/without/account-keys"]);
  // Who has answered is not asked again; who was away is.
  expect(asked.filter((name) => name === "aws")).toHaveLength(1);
  expect(asked.filter((name) => name === "hsm")).toHaveLength(3);
  answers.hsm = { name: "HSM", keeps: ["sensitive", "account-keys"] } as Standing;
  await Promise.all([standing.record(of, settings), standing.record(of, settings)]);
  await standing.record(of, settings);
  expect(rows).toEqual(["back-end/AWS KMS/without/account-keys", "back-end/HSM/without/release-policy"]);
});

it("asks nothing where a tenant goes without nothing", async () => {
  const { asked, of } = fixture();
  await new StandingRecord().record(of, DEFAULT_BACK_END);
  expect(asked).toEqual([]);
});
