import { expect, it } from "vitest";
import { ROWS, rowsOf } from "./rows.ts";

it("knows the rows of a test by the beginning of its name", () => {
  expect(rowsOf(["M3 a grant works once"])).toEqual(["M3"]);
  expect(rowsOf(["M13: another origin", "is refused"])).toEqual(["M13"]);
  expect(rowsOf(["W4 and W5: encrypt"])).toEqual(["W4", "W5"]);
  expect(rowsOf(["M6, M8 keys"])).toEqual(["M6", "M8"]);
  expect(rowsOf(["a grant as in M3", "M99 no such row", "M3x"])).toEqual([]);
  expect(rowsOf(["W10 W11 the keys' panel", "M9 M13 M20 a channel"])).toEqual([
    "W10",
    "W11",
    "M9",
    "M13",
    "M20",
  ]);
  expect(rowsOf(["W1 (W13) strict: all", "A17 (and A22), W3, W8 asks once"])).toEqual([
    "W1",
    "W13",
    "A17",
    "W3",
    "W8",
  ]);
  expect(rowsOf(["Promise 2 W10 a key", "Promise 1 M9: the scans", "Promise 2: every call"])).toEqual([
    "W10",
    "M9",
  ]);
  expect(rowsOf(["W5 has the KMS ask, as W3 does", "M7 AES keys"])).toEqual(["W5", "M7"]);
  expect(Object.keys(ROWS)).toHaveLength(46);
});

it("counts a claim to the first of those that one test shows", () => {
  expect(rowsOf(["A14 as the system"])).toEqual(["A1"]);
  expect(rowsOf(["A1 (A8, A14, A19): encrypt"])).toEqual(["A1"]);
  expect(rowsOf(["A1, A2 and W4: encrypt"])).toEqual(["A1", "A2", "W4"]);
  expect(rowsOf(["B5 beside a sidecar", "A24 no such claim", "B a sentence"])).toEqual(["B4"]);
});
