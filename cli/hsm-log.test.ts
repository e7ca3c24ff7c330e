import { expect, it } from "vitest";
import { logText } from "./hsm-log.ts";

it("lets no value of a client begin a line, a field or an escape sequence on the terminal", () => {
  const time = new Date(0);
  for (const identity of [
    "a\nb event=Get",
    "\u001b[2J",
    "\u009b2J",
    "\u202egpj",
    'a" code=x',
    "\u2028",
    "\r",
  ]) {
    const text = logText({ event: "refused-connection", identity, code: "x" }, time);
    expect(text).toMatch(/^[\x20-\x7e]+$/);
    const [, quoted] = /^\S+ refused-connection identity=("(?:[^"\\]|\\.)*") code=x$/.exec(text)!;
    expect(JSON.parse(quoted!)).toBe(identity);
  }
  expect(logText({ event: "Get", identity: "alice", object: undefined, took: 3 }, time)).toBe(
    "1970-01-01T00:00:00.000Z Get identity=alice took=3",
  );
});
