import { expect, it } from "vitest";
import { ROWS, rowsOf } from "./rows.ts";

it("knows the rows of a test by the beginning of its name", () => {
  expect(rowsOf(["M3 a grant works once"])).toEqual(["M3"]);
  expect(rowsOf(["M13: another origin", "is refused"])).toEqual(["M13"]);
  expect(rowsOf(["W4 and W5: encrypt"])).toEqual(["W4", "W5"]);
  expect(rowsOf(["M6, M8 keys"])).toEqual(["M6", "M8"]);
  expect(rowsOf(["a grant as in M3", "M99 no such row", "M3x"])).toEqual([]);
  expect(Object.keys(ROWS)).toHaveLength(46);
});

it("counts a claim to the first of those that one test shows", () => {
  expect(rowsOf(["A14 as the system"])).toEqual(["A1"]);
  expect(rowsOf(["A1 (A8, A14, A19): encrypt"])).toEqual(["A1"]);
  expect(rowsOf(["A1, A2 and W4: encrypt"])).toEqual(["A1", "A2", "W4"]);
  expect(rowsOf(["B5 beside a sidecar", "A24 no such claim", "B a sentence"])).toEqual(["B4"]);
});
