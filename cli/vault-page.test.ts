import { expect, it } from "vitest";
import { loadedBy } from "./vault-page.ts";

const known = new Set(["/page.js"]);

it("finds nothing in a page that loads what the release has", () => {
  const page = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A</title>
    <link rel="stylesheet" href="/page.css"><script src="/page.js" defer></script></head>
    <body data-session="none"><p aria-hidden="true"><a href="/authorize?a&amp;b">Go</a></p></body></html>`;
  expect(loadedBy(page, known)).toEqual([]);
});

it.each([
  ["<script>1</script>", "an inline script"],
  ["<SCRIPT/SRC=/evil.js>", "/evil.js"],
  ["<script src='/evil.js' src=/page.js>", "/evil.js"],
  ['<script data-src="/page.js" src="/evil.js">', "/evil.js"],
  ['<script\fsrc\n=\n"/evil.js">', "/evil.js"],
  ['<script src="/page.js" onload=x>', "a <script onload>"],
  ["<svg/onload=x>", "a <svg onload>"],
  ["<svg\u00a0onload=x>", "a <svg\u00a0onload=x>"],
  ['<p title=">" onclick="x">', "a <p title>"],
  ['<p class=">" onclick="x">', "a <p onclick>"],
  [`<p class="${">".repeat(5000)}" onclick="x">`, 'a <p =">'],
  [`<p ${" ".repeat(5000)} onclick="x">`, "a <p> that does not end"],
  ['<p class="a"onclick=x>', "a <p onclick>"],
  ['<!-- <p class=" --><script src="/evil.js"></script>', "/evil.js"],
  ['<p class="<script src=/evil.js>">', "/evil.js"],
  ['<link rel="icon modulepreload" href="/evil.js">', "/evil.js"],
  ["<link rel=stylesheet href=/evil.css>", "/evil.css"],
  ["<img src=/x.png>", "/x.png"],
  ["<base href=//evil.example/>", "//evil.example/"],
  ["<object data=/evil.svg>", "/evil.svg"],
  ['<meta http-equiv="refresh" content="0;url=//evil.example">', "a <meta http-equiv>"],
  ["<button formaction=//evil.example>", "a <button formaction>"],
  ["<evil-element>", "a <evil-element>"],
])("finds what loads or runs in a page, case %$", (html, told) => {
  expect(loadedBy(html, known)).toContain(told);
});

it("tells no more than a reader takes in, and ends soon for a page that is made to last", () => {
  const long = loadedBy('<a class="'.repeat(500_000), known);
  expect(long.length).toBeLessThan(20);
  expect(loadedBy("<p>".repeat(500_000), known)).toEqual(["more tags than a page of a vault has"]);
  const many = Array.from({ length: 1000 }, (_, i) => `<script src="/${i}.js">`).join("");
  expect(loadedBy(many, known).length).toBeLessThan(20);
});
