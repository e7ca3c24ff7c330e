import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, expect, it } from "vitest";
import { listen } from "../support/ports.ts";
import { launchChromium, recordSubtleCrypto } from "./index.ts";

// The code under measurement takes its references in the first statement, as the microservice does.
const WORKER = `const { digest, generateKey, importKey } = SubtleCrypto.prototype; const s = crypto.subtle;
  (async () => {
    await digest.call(s, "SHA-256", new Uint8Array(3));
    await generateKey.call(s, { name: "AES-GCM", length: 256 }, true, ["encrypt"]);
    await importKey.call(s, "raw", new Uint8Array(32).fill(7), "HKDF", false, ["deriveKey"]);
    postMessage("done");
  })();`;
const IFRAME = `<script>
  const digest = crypto.subtle.digest.bind(crypto.subtle);
  (async () => {
    await digest("SHA-384", new Uint8Array(4));
    const source = await (await fetch("/worker.js")).arrayBuffer();
    const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
    worker.onmessage = () => parent.postMessage("done", "*");
    const database = indexedDB.open("stored");
    database.onsuccess = () => parent.postMessage("stored", "*");
    database.onerror = () => parent.postMessage("denied", "*");
  })();
</script>`;
const page = (frame: string) => `<script>
  const digest = crypto.subtle.digest.bind(crypto.subtle);
  const heard = [];
  onmessage = ({ data }) => { heard.push(data); document.title = heard.sort().join(); };
  digest("SHA-512", new Uint8Array(5));
</script><iframe src="${frame}"></iframe>`;

let server: Server;
let port: number;

beforeAll(async () => {
  server = createServer((request, response) => {
    const host = request.headers.host ?? "";
    const [type, body] = request.url?.startsWith("/worker.js")
      ? ["text/javascript", WORKER]
      : request.url?.startsWith("/frame")
        ? ["text/html", IFRAME]
        : ["text/html", page(`http://${host.replace(/^app\./, "vault.")}/frame`)];
    response.setHeader("content-type", type).setHeader("cache-control", "no-store").end(body);
  });
  port = await listen(server);
});
afterAll(() => server?.close());

// Same site (one process or two), and two sites (an iframe in a process of its own, with partitioned storage).
for (const [title, host, partitionStorage] of [
  ["same site", "app.coffer.localhost", false],
  ["cross site", "app.localhost", true],
] as const) {
  it(`records calls of page, iframe and blob Worker that took their references at once: ${title}`, async () => {
    const { browser, cdp, close } = await launchChromium({ partitionStorage });
    try {
      const recorder = await recordSubtleCrypto(cdp);
      for (let round = 0; round < 3; round++) {
        recorder.calls.length = 0;
        const tab = await browser.newPage();
        await tab.goto(`http://${host}:${port}/`);
        await tab.waitForFunction(() => document.title === "done,stored");
        await expect.poll(() => recorder.crypto().length).toBe(5);
        const calls = recorder.crypto().map(({ realm, method }) => `${realm} ${method}`);
        expect(calls.sort()).toEqual(
          ["page digest", "iframe digest", "worker digest", "worker generateKey", "worker importKey"].sort(),
        );
        // The page's window was posted to from a frame of another origin.
        const heard = () =>
          recorder.calls.filter(({ method }) => method === "message").map(({ args: [data] }) => data);
        await expect.poll(() => heard().sort()).toEqual(["done", "stored"]);
        const made = recorder.crypto().find(({ method }) => method === "generateKey");
        expect(made?.result).toMatchObject({
          key: { type: "secret", extractable: true, usages: ["encrypt"] },
        });
        const imported = recorder.crypto().find(({ method }) => method === "importKey");
        expect(imported?.args.slice(0, 2)).toEqual(["raw", { bytes: 32, hex: "07".repeat(32) }]);
        const zeros = createHash("sha256").update(new Uint8Array(3)).digest("hex");
        const worker = recorder
          .crypto()
          .find(({ realm, method }) => realm === "worker" && method === "digest");
        expect(worker?.result).toEqual({ bytes: 32, hex: zeros });
        await tab.close();
      }
      expect(recorder.failures).toEqual([]);
    } finally {
      await close();
    }
  });
}

it("sees a CryptoKey that is posted, and leaves no trace that the measured code could see", async () => {
  const { browser, cdp, close } = await launchChromium();
  try {
    const recorder = await recordSubtleCrypto(cdp);
    const tab = await browser.newPage();
    await tab.goto(`http://app.coffer.localhost:${port}/`);
    const seen = await tab.evaluate(async () => {
      const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt"]);
      new MessageChannel().port1.postMessage({ deep: [{ key }] });
      const { digest } = SubtleCrypto.prototype;
      return {
        binding: "__record" in globalThis,
        name: digest.name,
        length: digest.length,
        own: "prototype" in digest,
      };
    });
    expect(seen).toEqual({ binding: false, name: "digest", length: 2, own: false });
    await expect.poll(() => recorder.calls.filter(({ carriesKey }) => carriesKey).length).toBe(1);
  } finally {
    await close();
  }
});
