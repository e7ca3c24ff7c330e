import { expect, it } from "vitest";
import { canonicalEntry, GENESIS, type Link, linkHash, verifyChain } from "./chain.ts";

async function chain(length: number): Promise<Link[]> {
  const links: Link[] = [];
  let previous = GENESIS;
  for (let sequence = 1; sequence <= length; sequence++) {
    const row = {
      outbox: sequence,
      time: "t",
      action: "a",
      resource: "r",
      outcome: "allow",
      requestId: "q",
    } as const;
    const entry = canonicalEntry(sequence, { source: "kms", epoch: "e" }, row);
    const hash = await linkHash(previous, entry);
    links.push({ sequence, previous, entry, hash });
    previous = hash;
  }
  return links;
}

it("writes entries in one way", () => {
  const row = {
    requestId: "q",
    outbox: 3,
    action: "a",
    time: "t",
    outcome: "deny",
    resource: "r",
    user: undefined,
  } as const;
  expect(canonicalEntry(9, { source: "kms", epoch: "e" }, row as never)).toBe(
    '{"action":"a","epoch":"e","outbox":3,"outcome":"deny","requestId":"q","resource":"r","sequence":9,"source":"kms","time":"t"}',
  );
});

it("verifies a whole chain and one that goes on", async () => {
  const links = await chain(5);
  expect(await verifyChain(links)).toEqual({ sequence: 5, hash: links[4]!.hash });
  expect(await verifyChain(links.slice(2), links[1])).toMatchObject({ sequence: 5 });
});

it("notices a changed, removed, moved or added entry", async () => {
  const links = await chain(5);
  const changed = links.with(2, { ...links[2]!, entry: links[2]!.entry.replace("allow", "deny") });
  await expect(verifyChain(changed)).rejects.toThrow("broken at 3");
  await expect(verifyChain(links.toSpliced(1, 1))).rejects.toThrow("broken at 2");
  await expect(verifyChain(links.with(1, links[2]!).with(2, links[1]!))).rejects.toThrow("broken at 2");
  await expect(verifyChain([...links, links[4]!])).rejects.toThrow("broken at 6");
});
