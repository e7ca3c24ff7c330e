/**
 * What the machine allows a server that keeps what it is told: `node durable-echo.ts PKI DIR` answers each KMIP message
 * on a TLS connection with a fixed one, after it has written a page to a file and brought it to the disk. Prints its port.
 */
import { fdatasyncSync, openSync, writeSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createServer } from "node:tls";
import { ensurePki } from "#emulator/hsm/index.ts";
import { Framing, REQUEST_MESSAGE } from "#kmip-node/framing.ts";

const PAGE = new Uint8Array(4096).fill(1);
const PAGES = 1024;
/** A response message of the length that an answer to Create or Get has. */
const ANSWER = Buffer.alloc(256);
ANSWER.set([0x42, 0x00, 0x7b, 0x01, 0, 0, 0, ANSWER.length - 8]);

const [pkiDir, dir] = process.argv.slice(2);
const { server } = await ensurePki(pkiDir!);
const file = openSync(join(dir!, "echo"), "w");
// Overwriting is what a write-ahead log of a length of its own does.
writeSync(file, new Uint8Array(PAGES * PAGE.length));
let page = 0;

const listener = createServer({ cert: server.cert, key: server.key }, (socket) => {
  const framing = new Framing(REQUEST_MESSAGE, 1024 * 1024);
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    const requests = [...framing.push(chunk)];
    if (requests.length === 0) return;
    page = (page + 1) % PAGES;
    writeSync(file, PAGE, 0, PAGE.length, page * PAGE.length);
    fdatasyncSync(file);
    socket.write(Buffer.concat(requests.map(() => ANSWER)));
  });
});
process.once("SIGTERM", () => process.exit(0));
process.stdin.once("close", () => process.exit(0)).resume();
listener.listen(0, "127.0.0.1", () => console.log((listener.address() as AddressInfo).port));
