import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CLAUSES } from "#test/kmip/clauses.ts";
import { filesOfTree, root } from "./support/tree.ts";

type Citation = { place: string; document: string; number: string; nearby: string };

const own = ["test/citations.test.ts", "test/kmip/clauses.ts"];
const files = filesOfTree("*.ts", "*.js", "*.md").filter((file) => !own.includes(file));

const CITED = /((?:KMIP|Profiles)(?: Profiles)? \d\.\d) \(?(§[\d.]*\d(?:[^§;:]{0,60}, §[\d.]*\d)*)/g;

/** Each number of `KMIP 2.1 §4.57 State, §6.1.44 Revoke`, with the line it stands in and that line's neighbours. */
function citationsOf(file: string, text: string): Citation[] {
  const lines = text.split("\n").map((line) => line.replace(/^\s*(\/\/|\/?\*+)\s?/, ""));
  return lines.flatMap((line, i) =>
    [...line.matchAll(CITED)].flatMap(([, document, numbers]) =>
      [...numbers!.matchAll(/§([\d.]*\d)/g)].map(([, number]) => ({
        place: `${file}:${i + 1}`,
        document: document!,
        number: number!,
        nearby: lines.slice(Math.max(0, i - 1), i + 2).join(" "),
      })),
    ),
  );
}

/** Whether the table has the clause, and its title stands near the number; a whole chapter needs no title. */
function isRight({ document, number, nearby }: Citation): boolean {
  const title = CLAUSES[document]?.[number];
  if (title === undefined) return false;
  const words = title.replace(/[.()#]/g, "\\$&");
  return !number.includes(".") || new RegExp(`(?<!\\w)${words}(?!\\w)`, "i").test(nearby);
}

const citations = files.flatMap((file) => citationsOf(file, readFileSync(`${root}${file}`, "utf8")));

describe("citations of KMIP", () => {
  it("names a clause by the number that it has", () => {
    expect(citations.length).toBeGreaterThan(100);
    const wrong = citations.filter((citation) => !isRight(citation));
    expect(wrong.map(({ place, document, number }) => `${place}: ${document} §${number}`)).toEqual([]);
  });

  it.each([
    ["Archive (KMIP 2.1 §6.1.4)", [true]],
    ["Archive (KMIP 2.1 §6.1.5)", [false]],
    ["KMIP 2.1 §8.5 Response Header, §9.14 Nonce: a header", [true, true]],
    ["KMIP 2.1 §9.14 Nonce, §8.5 (RFC 8446 §4)", [true, false]],
    ["KMIP 2.1 §6.9 Archive, KMIP 1.9 §3.18 Operation Policy Name", [false, false]],
    ["the profile (Profiles 2.1 §5.5 JSON Profiles)", [false]],
    ["Logs (KMIP 2.1 §6.1.29)", [false]],
    ["every attribute of KMIP 2.1 §4", [true]],
  ])("judges %s", (text, right) => {
    expect(citationsOf("a.ts", `/** ${text} */`).map(isRight)).toEqual(right);
  });
});
