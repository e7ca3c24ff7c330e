import { afterEach, expect, it } from "vitest";
import { type LentCall, LOAN } from "#protocol/lent.ts";
import { Lenders, type PageClient } from "./index.ts";

/** Pages by their ids; a page lends when it is asked, if it has something to lend. */
function testPages() {
  const pages = new Map<string, PageClient>();
  const told: string[] = [];
  const open = (id: string, onWanted: () => void = () => {}) =>
    pages.set(id, {
      id,
      postMessage: () => {
        told.push(id);
        onWanted();
      },
    });
  const of = { get: async (id: string) => pages.get(id), all: async () => [...pages.values()] };
  return { of, open, told, close: (id: string) => pages.delete(id) };
}

const ports: MessagePort[] = [];
afterEach(() => ports.splice(0).forEach((port) => void port.close()));

const loan = { type: LOAN, custodian: "CN=ada" } as const;
const random = () =>
  new Request("https://app.example/operations/random", {
    method: "POST",
    body: JSON.stringify({ length: 3 }),
    headers: { "content-type": "application/json" },
  });

/** A page's end: answers each call, or none. */
function lend(lenders: Lenders, page: string, bytes?: string): LentCall[] {
  const { port1, port2 } = new MessageChannel();
  const calls: LentCall[] = [];
  port1.onmessage = ({ data }: MessageEvent<LentCall>) => {
    calls.push(data);
    if (bytes !== undefined)
      port1.postMessage({ id: data.id, value: data.method === "hello" ? {} : { bytes } });
  };
  ports.push(port1);
  lenders.take(loan, page, port2);
  return calls;
}

it("M15 answers by the page that lent last and lives", async () => {
  const pages = testPages();
  const lenders = new Lenders(pages.of, 20);
  for (const id of ["one", "two"]) pages.open(id);
  lend(lenders, "one", "AAAA");
  const calls = lend(lenders, "two", "BBBB");
  expect(await (await lenders.serve(random())).json()).toEqual({ bytes: "BBBB" });
  expect(calls.map(({ method }) => method)).toEqual(["hello", "operate"]);
  pages.close("two");
  expect(await (await lenders.serve(random())).json()).toEqual({ bytes: "AAAA" });
  expect(pages.told).toEqual([]);
});

it("M15 asks pages for theirs when it has none, and refuses in the end", async () => {
  const pages = testPages();
  const lenders = new Lenders(pages.of, 20);
  await expect(lenders.serve(random())).rejects.toMatchObject({ code: "no-microservice" });
  pages.open("has none");
  await expect(lenders.serve(random())).rejects.toMatchObject({ code: "no-microservice" });
  pages.open("has one", () => void lend(lenders, "has one", "CCCC"));
  expect(await (await lenders.serve(random())).json()).toEqual({ bytes: "CCCC" });
});

it("M15 ends what is under way when the page that worked has gone", async () => {
  const pages = testPages();
  const lenders = new Lenders(pages.of, 20);
  pages.open("one");
  lend(lenders, "one");
  const answered = lenders.serve(random());
  pages.close("one");
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, 10_000));
  const answer = await Promise.race([answered, late]);
  if (!answer) return expect(answer, "an answer").toBeDefined();
  expect([answer.status, (await answer.json()).code]).toEqual([503, "no-microservice"]);
});
