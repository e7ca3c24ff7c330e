import { expect, it } from "vitest";
import { type Coffer, CofferError } from "#web/browser/index.ts";
import { SharedWith } from "./shared-with.ts";

const share = (document: string, name: string, expires = 2000) => ({
  document,
  to: { account: name.toLowerCase(), name },
  expires: new Date(expires),
});
const LATER = Date.now() + 3_600_000;

/** Answers each question when, and as, it is told to. */
function asking() {
  const answers: { resolve: (shares: object[]) => void; reject: (error: unknown) => void }[] = [];
  const sharing = () => new Promise((resolve, reject) => answers.push({ resolve, reject }));
  return { coffer: { sharing } as unknown as Coffer, answers };
}

it("knows whom each document of an account is shared with, as it was read last, until each ends", () => {
  const shared = new SharedWith();
  const of = (account: string, id: string) => shared.of({ account, id });
  shared.take(
    "a",
    [share("1", "Bea"), share("2", "Cleo"), share("1", "Dora"), share("1", "Emil", 1000)],
    shared.ask(),
    1000,
  );
  shared.take("b", [share("2", "Fay")], shared.ask(), 1000);
  expect(of("a", "1")).toEqual(["Bea", "Dora"]);
  expect(of("a", "2")).toEqual(["Cleo"]);
  expect(of("b", "1")).toEqual([]);
  expect(of("c", "1")).toEqual([]);
  shared.take("a", [share("2", "Cleo")], shared.ask(), 1000);
  expect(of("a", "1")).toEqual([]);
  expect(of("b", "2")).toEqual(["Fay"]);
  shared.clear();
  expect(of("a", "2")).toEqual([]);
});

it("an answer that comes late takes the place of none that was asked for after it, nor comes after all was cleared", async () => {
  const shared = new SharedWith();
  const { coffer, answers } = asking();
  const of = () => shared.of({ account: "a", id: "1" });
  const first = shared.read(coffer, ["a"]);
  const second = shared.read(coffer, ["a"]);
  answers[1]!.resolve([share("1", "Bea", LATER)]);
  await second;
  answers[0]!.resolve([]);
  await first;
  expect(of()).toEqual(["Bea"]);
  const third = shared.read(coffer, ["a"]);
  shared.take("a", [], shared.ask());
  answers[2]!.reject(new CofferError("offline"));
  await third;
  expect(of()).toEqual([]);
  expect(shared.unknown).toBe(false);
  const fourth = shared.read(coffer, ["a"]);
  shared.clear();
  answers[3]!.resolve([share("1", "Cleo", LATER)]);
  await fourth;
  expect(of()).toEqual([]);
});

it("says that it does not know where an account could not be read, until it is; what nobody may read is shared with nobody", async () => {
  const shared = new SharedWith();
  const { coffer, answers } = asking();
  const read = async (...errors: (CofferError | undefined)[]) => {
    const reading = shared.read(
      coffer,
      errors.map((_, at) => String(at)),
    );
    for (const error of errors) {
      const answer = answers.shift()!;
      if (error) answer.reject(error);
      else answer.resolve([share("1", "Bea", LATER)]);
    }
    await reading;
  };
  await read(undefined, new CofferError("forbidden"));
  expect(shared.unknown).toBe(false);
  await read(new CofferError("internal"), undefined);
  expect(shared.unknown).toBe(true);
  expect(shared.of({ account: "0", id: "1" }), "as it was").toEqual(["Bea"]);
  await read(undefined, undefined);
  expect(shared.unknown).toBe(false);
});
