/** What a process says to the edge and hears from it, message by message as they pass (A1, A2): not what its own code tells of itself. */

import { loopbackFetch } from "#cli/loopback-fetch.ts";

type Message = { way: "ask" | "get"; line: string; body: string };

export class Wire {
  readonly #messages: Message[] = [];

  /** For `connect`. Answers are read to their end before they are passed on. */
  readonly fetch: typeof fetch = async (input, init) => {
    const { pathname } = new URL(input instanceof Request ? input.url : String(input));
    const line = `${init?.method ?? "GET"} ${nameOf(pathname)}`;
    const body = typeof init?.body === "string" ? init.body : "";
    this.#messages.push({ way: "ask", line, body: `${pathname} ${body}` });
    const answer = await loopbackFetch(input, init);
    const bytes = await answer.bytes();
    const text = new TextDecoder().decode(bytes);
    this.#messages.push({ way: "get", line: `${answer.status} ${line}`, body: text });
    const { status, headers } = answer;
    return new Response(status === 204 ? null : bytes, { status, headers });
  };

  /** `ask METHOD path` and `get STATUS METHOD path`, in their order; ids are `…`, a key identifier `KI`. Of instances alone. */
  get lines(): string[] {
    return this.#messages.filter(isOfInstance).map(({ way, line }) => `${way} ${line}`);
  }

  /** What the last message of this line had in it: of a question its path too. */
  body(line: string): string {
    return this.#messages.findLast((message) => `${message.way} ${message.line}` === line)?.body ?? "";
  }

  clear(): void {
    this.#messages.length = 0;
  }
}

const isOfInstance = ({ line }: Message) => line.includes(" /instances/");

function nameOf(path: string): string {
  return path
    .replace(/[\da-f]{8}-[\da-f-]{27}/g, "…")
    .replace(/[^/]+\.\d+$/, "KI")
    .replace(/accounts\/[^/]+/, "accounts/…");
}
