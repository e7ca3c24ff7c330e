/** Browser code relies on nothing that one of the three engines lacks, unless it asks for it first. */

import { expect, it } from "vitest";
import { inScript, inText, reliances } from "./lacking.ts";

it("nothing that browsers run relies on what Chromium, Firefox or WebKit lacks", async () => {
  const { files, found } = await reliances();
  expect(found).toEqual([]);
  for (const file of [
    "web/client/parts.ts",
    "web/page/save.ts",
    "web/page/sheets.css",
    "protocol/kmip/ttlv.ts",
  ])
    expect(files).toContain(file);
  expect(files.some((file) => file.startsWith("node_modules/idb/"))).toBe(true);
});

it.each([
  "for await (const chunk of stream) use(chunk);",
  "for await (const chunk of response.body!) use(chunk);",
  "for await (const chunk of stream.pipeThrough(pair)) use(chunk);",
  "async function* all(stream: ReadableStream) { yield* stream; }",
  "ReadableStream.from([1]);",
  "await Array.fromAsync(stream);",
  "requestIdleCallback(work);",
  "window.requestIdleCallback(work);",
  "const handle = await window['showSaveFilePicker']({});",
  "await handle.createWritable();",
  "await scheduler.yield();",
  "Temporal.Now.instant();",
  "new CloseWatcher();",
  "navigator.userAgentData.platform;",
  "[...location.ancestorOrigins];",
  'crypto.subtle.generateKey({ name: "ML-KEM-768" }, false, ["encapsulateKey"]);',
])("planted: %s", (source) => {
  expect(inScript(source)).toHaveLength(1);
});

it.each([
  "async function* chunks() { yield 1; } for await (const chunk of chunks()) use(chunk);",
  "class Source { async *chunks() {} } for await (const chunk of source.chunks()) use(chunk);",
  "async function* all() { yield* chunks(); } async function* chunks() {}",
  "function* all() { yield* [1, 2]; }",
  'if ("requestIdleCallback" in window) requestIdleCallback(work); else setTimeout(work);',
  "if (typeof requestIdleCallback === 'function') requestIdleCallback(work);",
  "window.requestIdleCallback?.(work);",
  "scheduler?.yield();",
  "const origins = location.ancestorOrigins && [...location.ancestorOrigins];",
  "const picker = (window as Window & { showSaveFilePicker?: Picker }).showSaveFilePicker;",
  'if (subtle.decapsulateKey) await subtle.generateKey("ML-KEM-768", false, ["decapsulateKey"]);',
  "Array.from([1]); Buffer.from(bytes); map.values();",
])("let through: %s", (source) => {
  expect(inScript(source)).toEqual([]);
});

it("planted styles and documents", () => {
  expect(inText("textarea { field-sizing: content }", "a.css")).toEqual(["field-sizing: WebKit"]);
  expect(inText("dialog:open { color: red }", "a.css")).toEqual([":open: WebKit"]);
  expect(inText("@supports (field-sizing: content) { textarea { field-sizing: content } }", "a.css")).toEqual(
    [],
  );
  expect(inText("/* field-sizing: content */ .open { color: red }", "a.css")).toEqual([]);
  expect(inText('<dialog closedby="any">', "a.html")).toEqual(["closedby: WebKit"]);
});
