import { describe, expect, it } from "vitest";
import type { Caller } from "../caller.ts";
import { ok } from "../result.ts";
import type { Neighbours } from "./context.ts";
import { askedTogether, Together } from "./together.ts";

/** Questions that are answered by hand, each by how things stand when it is asked. */
function questions() {
  const asked: { answer: () => void; fail: () => void }[] = [];
  let standing = "active";
  return {
    asked,
    change: (to: string) => {
      standing = to;
    },
    ask: () => {
      const said = standing;
      return new Promise<string>((resolve, reject) => {
        asked.push({ answer: () => resolve(said), fail: () => reject(new Error("away")) });
      });
    },
  };
}

const turn = () => new Promise((resolve) => setTimeout(resolve));

describe("asking together", () => {
  it("asks once for all who come while an answer is under way", async () => {
    const together = new Together();
    const { asked, ask } = questions();
    const all = Array.from({ length: 8 }, () => together.ask("same", ask));
    expect(asked).toHaveLength(1);
    asked[0]!.answer();
    await all[0];
    await turn();
    expect(asked).toHaveLength(2);
    asked[1]!.answer();
    expect(await Promise.all(all)).toEqual(Array(8).fill("active"));
  });

  it("gives nobody an answer to what was asked before they came: an end counts at once", async () => {
    const together = new Together();
    const { asked, ask, change } = questions();
    const before = together.ask("same", ask);
    change("revoked");
    const after = together.ask("same", ask);
    asked[0]!.answer();
    expect(await before).toBe("active");
    await turn();
    asked[1]?.answer();
    expect(await after).toBe("revoked");
  });

  it("asks of others at the same time, and again after a failure", async () => {
    const together = new Together();
    const { asked, ask } = questions();
    const one = together.ask("one", ask);
    const other = together.ask("other", ask);
    const later = together.ask("one", ask);
    expect(asked).toHaveLength(2);
    asked[0]!.fail();
    await expect(one).rejects.toThrow("away");
    await turn();
    asked[1]!.answer();
    asked[2]!.answer();
    expect(await other).toBe("active");
    expect(await later).toBe("active");
  });

  it("tells callers, accounts and keys apart, and not requests", async () => {
    const caller: Caller = {
      ...{ tenant: "acme", user: "u", custodian: "CN=u", client: "page", jkt: "key", origin: "http://app" },
      requestId: "1",
    };
    const asked: string[] = [];
    const answer = (name: string) => async (of: unknown) => {
      asked.push(`${name} ${JSON.stringify(of)}`);
      await turn();
      return ok(null);
    };
    const neighbours = {
      IAM: { member: answer("member"), accountKey: answer("accountKey") },
      RA: { recipient: answer("recipient") },
    } as unknown as Neighbours;
    const { IAM, RA } = askedTogether(neighbours, new Together());
    const of = { tenant: "acme", account: "a", caller };
    // Of the same question the first goes out, and one more for all others.
    const count = async (work: () => Promise<unknown>[]) => {
      asked.length = 0;
      await Promise.all(work());
      return asked.length;
    };
    const same = { ...of, caller: { ...caller, requestId: "2" } };
    expect(await count(() => [IAM.member(of), IAM.member(same), IAM.member(same)])).toBe(2);
    for (const other of [
      { ...of, account: "b" },
      ...(["user", "custodian", "client", "jkt", "origin", "tenant"] as const).map((name) => ({
        ...of,
        caller: { ...caller, [name]: "other" },
      })),
    ])
      expect(await count(() => [IAM.member(of), IAM.member(other), IAM.member(other)])).toBe(3);
    const key = { ...of, id: "k" };
    expect(await count(() => [of, key, key].map((one) => IAM.accountKey(one)))).toBe(3);
    expect(await count(() => [IAM.accountKey(of), IAM.member(of), IAM.member(of)])).toBe(3);
    const recipient = { tenant: "acme", user: "u", thumbprint: "t" };
    const others = ["tenant", "user", "thumbprint"].map((name) => ({ ...recipient, [name]: "other" }));
    expect(await count(() => [recipient, ...others].map((one) => RA.recipient(one)))).toBe(4);
  });
});
