import { afterEach, expect, it, vi } from "vitest";
import { CofferError } from "#protocol/error.ts";
import { CommandError } from "./command-error.ts";
import { report, toldOf, wantsJson } from "./report.ts";

afterEach(() => vi.restoreAllMocks());

it("--json is an option of the line, and no file of that name behind --", () => {
  expect(wantsJson(["list", "--json"])).toBe(true);
  expect(wantsJson(["seal", "--", "--json"])).toBe(false);
  expect(wantsJson(["seal", "--jsonl"])).toBe(false);
});

const system = Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC", path: "/tmp/x" });
it.each([
  [new CommandError("Say what.", 2), { code: "command-line", message: "Say what.", exit: 2 }],
  [new CommandError("It is not there."), { code: "failed", message: "It is not there.", exit: 1 }],
  [
    new CommandError("Nothing answers.", 1, new CofferError("offline")),
    { code: "offline", message: "Nothing answers.", exit: 1 },
  ],
  [new CofferError("forbidden"), { code: "forbidden", exit: 1 }],
  [new DOMException("ended", "AbortError"), { code: "cancelled", exit: 1 }],
  [system, { code: "ENOSPC", message: "/tmp/x: the disk is full. Make room and try again.", exit: 1 }],
  [new RangeError("a bug"), { code: "internal", exit: 1 }],
])("of %s a program is told %j", (error, told) => {
  expect(toldOf(error)).toMatchObject(told);
});

it("an error is one line of JSON, whatever stands in its sentence", () => {
  let written = "";
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    written += String(text);
    return true;
  });
  expect(report(new CommandError("two\nlines \u202e and \u001b[2J"), true)).toBe(1);
  expect(written.split("\n")).toEqual([expect.any(String), ""]);
  expect(written).not.toContain("lines \u202e and");
  expect(JSON.parse(written)).toEqual({
    error: { code: "failed", message: "two\nlines \u202e and \u001b[2J", exit: 1 },
  });
});
