import { expect, it } from "vitest";
import { ROWS, rowsOf } from "./rows.ts";

it("knows the rows of a test by the beginning of its name", () => {
  expect(rowsOf(["M3 a grant works once"])).toEqual(["M3"]);
  expect(rowsOf(["M13: another origin", "is refused"])).toEqual(["M13"]);
  expect(rowsOf(["W4 and W5: encrypt"])).toEqual(["W4", "W5"]);
  expect(rowsOf(["M6, M8 keys"])).toEqual(["M6", "M8"]);
  expect(rowsOf(["a grant as in M3", "M99 no such row", "M3x"])).toEqual([]);
  expect(Object.keys(ROWS)).toHaveLength(36);
});
