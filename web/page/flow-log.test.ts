import { expect, it } from "vitest";
import type { Coffer, Held, Step } from "#web/browser/index.ts";

type Accounts = Parameters<Parameters<Coffer["manage"]>[0]>[0];

import { FlowLog } from "./flow-log.ts";

function followed(answers: Pick<Held, "keys" | "asked">[] = []) {
  const coffer = new EventTarget() as EventTarget & Pick<Coffer, "manage">;
  const dropped: Held["keys"][] = [];
  const held = async (): Promise<Held> => {
    const { keys, asked } = { keys: [], asked: [], ...answers.shift() };
    return { keys, asked, drop: async () => void dropped.push(keys) };
  };
  coffer.manage = (work) => work({ held } as Accounts);
  const log = new FlowLog();
  log.start(coffer as Coffer);
  // A second panel that starts makes nothing count twice.
  log.start(coffer as Coffer);
  const tell = (detail: Step) => coffer.dispatchEvent(new CustomEvent("step", { detail }));
  return { log, tell, dropped };
}

const begin = (id: number, at: number, operation: "seal" | "open" = "seal") =>
  ({ step: "begin", operation, id, at }) as const;
const end = (id: number, at: number) => ({ step: "end", id, at }) as const;
const call = (what: string, at: number) => ({ step: "vault", what, at, ms: 1 }) as Step;
const whats = (log: FlowLog) => log.flows.map(({ messages }) => messages.map(({ what }) => what));

it("keeps what began while an operation was under way, and nothing else", () => {
  const { log, tell } = followed();
  tell(call("has", 5));
  tell(begin(1, 10));
  tell(call("load", 11));
  tell(end(1, 20));
  // Began before the end, and came back after it.
  tell(call("seal", 19));
  tell(call("prefetch", 21));
  tell(begin(2, 30, "open"));
  tell(call("open", 31));
  expect(whats(log)).toEqual([["open"], ["load", "seal"]]);
  expect(log.flows.map(({ ended }) => ended)).toEqual([undefined, 20]);
  log.clear();
  expect(log.flows).toEqual([]);
});

it("tells several at once as one: nobody can say whose a step was", () => {
  const { log, tell } = followed();
  tell(begin(1, 10));
  tell(begin(2, 11, "open"));
  tell(end(1, 12));
  tell(call("open", 13));
  tell(end(2, 14));
  expect(log.flows).toMatchObject([{ operations: ["seal", "open"], began: 10, ended: 14 }]);
  expect(whats(log)).toEqual([["open"]]);
});

it("keeps a bounded number of operations and of steps, and says how many more there were", () => {
  const { log, tell } = followed();
  for (let n = 0; n < 50; n++) {
    tell(begin(n, n * 10));
    for (let each = 0; each < 250; each++) tell(call("open", n * 10 + 1));
    tell(end(n, n * 10 + 5));
  }
  expect(log.flows.length).toBe(10);
  expect(log.flows[0]).toMatchObject({ more: 50 });
  expect(log.flows[0]?.messages.length).toBe(200);
});

it("takes what the vault asked by itself to the operation in whose time it was, and looking to none", async () => {
  const one = (what: string, at: number) => ({ what, at, ms: 1, timing: "" });
  const { log, tell } = followed([
    { keys: [], asked: [one("before", 5), one("within", 12), one("after", 25)] },
  ]);
  tell(begin(1, 10));
  tell(call("standing", 15));
  tell(end(1, 20));
  await log.look();
  const [flow] = log.flows;
  expect(flow && log.askedDuring(flow).map(({ what }) => what)).toEqual(["within"]);
  expect(whats(log)).toEqual([[]]);
});

it("keeps what the vault asked by itself when keys are dropped, though it says that once", async () => {
  const asked = [{ what: "POST /kms/loads", at: 12, ms: 1, timing: "" }];
  const { log, tell, dropped } = followed([{ keys: [], asked }]);
  tell(begin(1, 10));
  tell(end(1, 20));
  await log.drop();
  expect(dropped).toHaveLength(1);
  await log.look();
  const [flow] = log.flows;
  expect(flow && log.askedDuring(flow)).toEqual(asked);
});
