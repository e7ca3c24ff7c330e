import { expect, it } from "vitest";
import { SharedWith } from "./shared-with.ts";

const share = (document: string, name: string, expires = 2000) => ({
  document,
  to: { account: name.toLowerCase(), name },
  expires: new Date(expires),
});

it("knows whom each document of an account is shared with, as it was read last, until each ends", () => {
  const shared = new SharedWith();
  const of = (account: string, id: string) => shared.of({ account, id });
  shared.take(
    "a",
    [share("1", "Bea"), share("2", "Cleo"), share("1", "Dora"), share("1", "Emil", 1000)],
    1000,
  );
  shared.take("b", [share("2", "Fay")], 1000);
  expect(of("a", "1")).toEqual(["Bea", "Dora"]);
  expect(of("a", "2")).toEqual(["Cleo"]);
  expect(of("b", "1")).toEqual([]);
  expect(of("c", "1")).toEqual([]);
  shared.take("a", [share("2", "Cleo")], 1000);
  expect(of("a", "1")).toEqual([]);
  expect(of("b", "2")).toEqual(["Fay"]);
  shared.clear();
  expect(of("a", "2")).toEqual([]);
});
