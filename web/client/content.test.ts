import { expect, it } from "vitest";
import { contentOf, fetchContent } from "./content.ts";
import type { RestClient } from "./rest.ts";

const place = { account: "a", id: "d" };
const bytes = Uint8Array.from({ length: 10 }, (_, i) => i);

/** Serves `bytes` by ranges; `change` may spoil an answer. */
function serving(change: (response: Response, start: number) => Response = (response) => response) {
  const asked: string[] = [];
  const rest = {
    send: async (
      _method: string,
      path: string,
      options: { headers?: Record<string, string> },
      read: (response: Response) => Promise<unknown>,
    ) => {
      const range = options.headers!.range!;
      asked.push(range);
      expect(path).toBe("/accounts/a/documents/d/content");
      const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range)!.map(Number);
      const slice = bytes.slice(from, to! + 1);
      const headers = { "content-range": `bytes ${from}-${from! + slice.length - 1}/${bytes.length}` };
      return read(change(new Response(slice, { status: 206, headers }), from!));
    },
  } as unknown as Pick<RestClient, "send">;
  return { rest, asked };
}

it("reads by ranges, the next one ahead", async () => {
  const { rest, asked } = serving();
  const content = await fetchContent(contentOf(rest, place), undefined, 4);
  expect(content.total).toBe(10);
  expect([...content.head]).toEqual([0, 1, 2, 3]);
  expect(asked).toEqual(["bytes=0-3"]);
  const reader = content.stream().getReader();
  await reader.read();
  expect(asked).toEqual(["bytes=0-3", "bytes=4-7"]);
  reader.releaseLock();
  const all = await new Response((await fetchContent(contentOf(rest, place), undefined, 4)).stream()).bytes();
  expect(all).toEqual(bytes);
});

it("takes a whole answer where the server knows no ranges", async () => {
  const { rest } = serving(() => new Response(bytes, { status: 200 }));
  const content = await fetchContent(contentOf(rest, place), undefined, 4);
  expect(await new Response(content.stream()).bytes()).toEqual(bytes);
});

it("refuses answers for other ranges, of other lengths, and of a content that changes", async () => {
  for (const header of ["bytes 1-4/10", "bytes 0-9/10", "bytes 0-2/10", "bytes */10", ""]) {
    const { rest } = serving(
      (response) => new Response(response.body, { status: 206, headers: { "content-range": header } }),
    );
    await expect(fetchContent(contentOf(rest, place), undefined, 4)).rejects.toMatchObject({
      code: "unexpected-response",
    });
  }
  const { rest } = serving((response, start) =>
    start === 0
      ? response
      : new Response(response.body, { status: 206, headers: { "content-range": "bytes 4-7/12" } }),
  );
  const content = await fetchContent(contentOf(rest, place), undefined, 4);
  await expect(new Response(content.stream()).bytes()).rejects.toMatchObject({ code: "unexpected-response" });
});
