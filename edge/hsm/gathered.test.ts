import { describe, expect, it } from "vitest";
import { KmipEncodeError, KmipError, type RequestItem, type ResponseItem } from "#protocol/kmip/index.ts";
import { Gathered, type Send } from "./gathered.ts";

const destroy = (uniqueIdentifier: string): RequestItem => ({
  operation: "Destroy",
  payload: { uniqueIdentifier },
});

/** An HSM that answers each message by hand, with the identifiers that were in it. */
function hsm() {
  const messages: { names: string[]; answer: () => void; fail: (error: Error) => void }[] = [];
  const send: Send = (items) => {
    const names = items.map(({ payload }) =>
      String((payload as { uniqueIdentifier: string }).uniqueIdentifier),
    );
    return new Promise((resolve, reject) => {
      const answer = () =>
        resolve(
          names.map((uniqueIdentifier) => {
            return {
              operation: "Destroy",
              resultStatus: "Success",
              payload: { uniqueIdentifier },
            } as ResponseItem;
          }),
        );
      messages.push({ names, answer, fail: reject });
    });
  };
  return { messages, send };
}

class Away extends Error {}
const isAway = (error: unknown) => error instanceof Away;
const turn = () => new Promise((resolve) => setTimeout(resolve));
const namesIn = (answers: ResponseItem[]) =>
  answers.map(({ payload }) => (payload as { uniqueIdentifier: string }).uniqueIdentifier);

describe("gathered batches", () => {
  it("go out in one message while another is under way, and each gets the answers to its own items", async () => {
    const { messages, send } = hsm();
    const gathered = new Gathered(isAway);
    const batches = [["a"], ["b", "c"], ["d"], ["e", "f"]];
    const answers = batches.map((names) => gathered.batch(names.map(destroy), send));
    expect(messages.map(({ names }) => names)).toEqual([["a"]]);
    messages[0]!.answer();
    await turn();
    expect(messages.map(({ names }) => names)).toEqual([["a"], ["b", "c", "d", "e", "f"]]);
    messages[1]!.answer();
    expect((await Promise.all(answers)).map(namesIn)).toEqual(batches);
  });

  it("make no message longer than its bound, but for one that is longer by itself", async () => {
    const { messages, send } = hsm();
    const gathered = new Gathered(isAway);
    const lengths = [1, 100, 28, 1, 200, 1];
    const answers = lengths.map((length, n) =>
      gathered.batch(
        Array.from({ length }, (_, at) => destroy(`${n}.${at}`)),
        send,
      ),
    );
    for (let n = 0; n < 5; n++) {
      messages[n]!.answer();
      await turn();
    }
    expect(messages.map(({ names }) => names.length)).toEqual([1, 128, 1, 200, 1]);
    expect((await Promise.all(answers)).map(({ length }) => length)).toEqual(lengths);
  });

  it("make no message that is larger than an HSM need take", async () => {
    const { messages, send } = hsm();
    const gathered = new Gathered(isAway);
    const encrypt = (uniqueIdentifier: string): RequestItem => ({
      operation: "Encrypt",
      payload: { uniqueIdentifier, data: new Uint8Array(200 * 1024) },
    });
    const answers = ["a", "b", "c", "d"].map((name) => gathered.batch([encrypt(name)], send));
    for (let n = 0; n < 3; n++) {
      messages[n]?.answer();
      await turn();
    }
    expect(messages.map(({ names }) => names)).toEqual([["a"], ["b", "c"], ["d"]]);
    expect((await Promise.all(answers)).map(namesIn)).toEqual([["a"], ["b"], ["c"], ["d"]]);
  });

  it("go out each by itself where the HSM refuses the message of all, and are told of once that they go out", async () => {
    const { messages, send } = hsm();
    const gathered = new Gathered(isAway);
    let began = 0;
    const [one, two, three] = ["a", "b", "c"].map((name) =>
      gathered.batch([destroy(name)], send, () => {
        began++;
      }),
    );
    messages[0]!.answer();
    await turn();
    messages[1]!.fail(new KmipError("ResponseTooLarge"));
    await turn();
    messages[2]!.answer();
    await turn();
    messages[3]!.fail(new KmipError("GeneralFailure"));
    await expect(three).rejects.toThrow("GeneralFailure");
    expect([await one!, await two!].map(namesIn)).toEqual([["a"], ["b"]]);
    expect(messages.map(({ names }) => names)).toEqual([["a"], ["b", "c"], ["b"], ["c"]]);
    expect(began).toBe(3);
  });

  it("fail together where their message does, and the next goes out all the same", async () => {
    const { messages, send } = hsm();
    const gathered = new Gathered(isAway);
    const [one, two, three] = ["a", "b", "c"].map((name) => gathered.batch([destroy(name)], send));
    messages[0]!.fail(new Error("away"));
    await expect(one).rejects.toThrow("away");
    await turn();
    messages[1]!.fail(new Error("broke off"));
    await expect(two).rejects.toThrow("broke off");
    await expect(three).rejects.toThrow("broke off");
    const next = gathered.batch([destroy("d")], send);
    messages[2]!.answer();
    expect(namesIn(await next)).toEqual(["d"]);
  });

  it("fail with the message that they wait for where the HSM is away, rather than wait for it one after the other", async () => {
    const { messages, send } = hsm();
    const gathered = new Gathered(isAway);
    const lengths = [1, 100, 100];
    const answers = lengths.map((length) =>
      gathered.batch(
        Array.from({ length }, () => destroy("a")),
        send,
      ),
    );
    const all = Promise.allSettled(answers);
    messages[0]!.fail(new Away("hung"));
    await turn();
    expect(messages).toHaveLength(1);
    for (const one of await all) expect(one).toMatchObject({ reason: { message: "hung" } });
    // Who comes then asks anew.
    const next = gathered.batch([destroy("b")], send);
    expect(messages.map(({ names }) => names)).toEqual([["a"], ["b"]]);
    messages[1]!.answer();
    expect(namesIn(await next)).toEqual(["b"]);
  });

  it("go out each by itself where one of them cannot be said to this HSM", async () => {
    const { messages, send } = hsm();
    const gathered = new Gathered(isAway);
    const [, two, three] = ["a", "b", "c"].map((name) => gathered.batch([destroy(name)], send));
    messages[0]!.answer();
    await turn();
    messages[1]!.fail(new KmipEncodeError("not in this version"));
    await turn();
    messages[2]!.fail(new KmipEncodeError("not in this version"));
    await expect(two).rejects.toThrow("not in this version");
    await turn();
    messages[3]!.answer();
    expect(namesIn(await three!)).toEqual(["c"]);
    expect(messages.map(({ names }) => names)).toEqual([["a"], ["b", "c"], ["b"], ["c"]]);
  });
});
