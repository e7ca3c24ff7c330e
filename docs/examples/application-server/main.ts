/** Starts the application server by its environment; README.md says what it needs. */

import { mkdir } from "node:fs/promises";
import { createServer } from "node:http";
import { Readable } from "node:stream";
import { appKeyFile, connect, keepAppKey, readRegisteredKey, readRootKey } from "@coffer/kit/node";
import { Datastore } from "./datastore.ts";
import { applicationServer } from "./server.ts";

const { env } = process;
const { APP = "", VAULT = "", CLIENT_ID = "", CLIENT_KEY = "", ROOT_KEY = "", DATA = "data" } = env;
const { CLIENT_TOKEN = "", CLIENT_KEY_PASSPHRASE, KEY_PASSPHRASE = "", PORT = "8080" } = env;
// Beside the ciphertext, unless it has a store of its own.
const { KEY_FILE = `${DATA}/app-specific-key.pem` } = env;

await mkdir(DATA, { recursive: true, mode: 0o700 });
const rootKey = await readRootKey(ROOT_KEY);
const instance = keepAppKey(appKeyFile(KEY_FILE), KEY_PASSPHRASE);
const registered = { id: CLIENT_ID, key: await readRegisteredKey(CLIENT_KEY, CLIENT_KEY_PASSPHRASE) };
const client = await connect({ app: APP, vault: VAULT, rootKey, client: registered, instance });
const microservice = async () => (await client.microservice.use()).port;
await microservice();
// Another app-specific key, while it serves.
process.on("SIGHUP", () => void client.life.rotateAppKey().catch(console.error));

const account = client.account();
const accountOf = ({ headers }: Request) =>
  CLIENT_TOKEN && headers.get("authorization") === `Bearer ${CLIENT_TOKEN}` ? account : undefined;
const { tenant } = client.identity;
const server = applicationServer({ microservice, tenant, datastore: new Datastore(DATA), accountOf });
createServer(async (incoming, outgoing) => {
  const { method = "GET", url = "/", headers } = incoming;
  const body = ["GET", "HEAD"].includes(method) ? null : (Readable.toWeb(incoming) as ReadableStream);
  const { authorization = "" } = headers;
  const init = { method, headers: { authorization }, body, duplex: "half" as const };
  const answer = await server.fetch(new Request(new URL(url, `http://localhost:${PORT}`), init));
  outgoing.writeHead(answer.status, Object.fromEntries(answer.headers));
  if (answer.body) Readable.fromWeb(answer.body as never).pipe(outgoing);
  else outgoing.end();
}).listen(Number(PORT), "127.0.0.1");
