import { describe, expect, it } from "vitest";
import { utf8 } from "#protocol/bytes.ts";
import { FramingError } from "./framing.ts";
import { TextFraming } from "./text-framing.ts";

const MESSAGES = {
  json: ['{"tag":"RequestMessage","value":[{"a":"}\\"{"}]}', '{"tag":"\\\\"}', "{}"],
  xml: [
    "<RequestMessage><A value='<'/></RequestMessage>",
    "<RequestMessage><</</RequestMessag</RequestMessage>",
    "<RequestMessage></RequestMessage>",
  ],
} as const;

describe.each(["json", "xml"] as const)("messages in %s one after the other", (encoding) => {
  const messages = MESSAGES[encoding];
  const bytes = utf8(messages.join(""));
  const text = (message: Uint8Array) => new TextDecoder().decode(message);

  it.each([1, 2, 3, 7, bytes.length])("are told apart in chunks of %i bytes", (size) => {
    const framing = new TextFraming(encoding, "RequestMessage", 100);
    const found: string[] = [];
    for (let at = 0; at < bytes.length; at += size)
      for (const message of framing.push(bytes.subarray(at, at + size))) found.push(text(message));
    expect(found).toEqual(messages);
  });

  it("are bounded, whether they end or not", () => {
    const framing = () => new TextFraming(encoding, "RequestMessage", 20);
    expect(() => [...framing().push(bytes)]).toThrow(FramingError);
    const slowly = framing();
    expect(() => {
      for (const byte of bytes) [...slowly.push(Uint8Array.of(byte))];
    }).toThrow(FramingError);
  });

  it("take as long as they are, however small the chunks", () => {
    const framing = new TextFraming(encoding, "RequestMessage", 1 << 20);
    const filler = Uint8Array.of(0x20);
    let held = 0;
    [...framing.push(bytes.subarray(0, 1))];
    for (; held < 500_000; held++) [...framing.push(filler)];
    expect(held).toBe(500_000);
  }, 10_000);
});

it.each(["json", "xml"] as const)(
  "holds a message in %s of more chunks than a call takes arguments",
  (encoding) => {
    const text =
      encoding === "json"
        ? `{"a":"${"x".repeat(300_000)}"}`
        : `<RequestMessage>${"x".repeat(300_000)}</RequestMessage>`;
    const framing = new TextFraming(encoding, "RequestMessage", 1 << 20);
    const messages: string[] = [];
    const read = () => {
      for (const byte of Buffer.from(text))
        for (const message of framing.push(Uint8Array.of(byte)))
          messages.push(Buffer.from(message).toString());
    };
    expect(read).not.toThrow();
    expect(messages).toEqual([text]);
  },
);
