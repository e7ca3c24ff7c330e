import { describe, expect, it } from "vitest";
import { awaited } from "./awaited.ts";
import type { RequestItem, ResponseItem } from "./messages.ts";

const value = { asynchronousCorrelationValue: Uint8Array.of(1) };
const pending = { operation: "Create", resultStatus: "OperationPending", ...value } as ResponseItem;
const made = {
  operation: "Create",
  resultStatus: "Success",
  payload: { objectType: "SymmetricKey", uniqueIdentifier: "a" },
} as ResponseItem;

/** A server with these answers. */
function server(...answers: (ResponseItem | Error)[]) {
  const asked: RequestItem["operation"][] = [];
  const send = async ({ operation }: RequestItem) => {
    asked.push(operation);
    const answer = answers.shift()!;
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { asked, send };
}

describe("an answer that comes later", () => {
  it("is asked for until it is there", async () => {
    const { asked, send } = server(pending, made);
    expect(await awaited(pending, send, undefined)).toBe(made);
    expect(asked).toEqual(["Poll", "Poll"]);
  });

  it("that is there is not asked for", async () => {
    const { asked, send } = server();
    expect(await awaited(made, send, undefined)).toBe(made);
    expect(asked).toEqual([]);
  });

  it("is of the operation that was asked for", async () => {
    const other = { operation: "Ping", resultStatus: "Success", payload: {} } as ResponseItem;
    await expect(awaited(pending, server(other).send, undefined)).rejects.toThrow("another operation");
  });

  it("is told as a failure of Poll where that fails", async () => {
    const lost = { operation: "Poll", resultStatus: "OperationFailed" } as ResponseItem;
    expect(await awaited(pending, server(lost).send, undefined)).toBe(lost);
  });

  it.each([[made], [new Error("gone")]])("is cancelled when the caller gives up", async (answer) => {
    const { asked, send } = server(answer);
    const reason = new Error("enough");
    await expect(awaited(pending, send, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(asked).toEqual(["Cancel"]);
  });
});
