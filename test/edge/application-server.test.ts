import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Client, connect } from "#cli/client.ts";
import { appKeyFile, openAppKey } from "#web/hosts/node/index.ts";
import type { Step } from "#web/microservice/index.ts";
import { Datastore } from "../../docs/examples/application-server/datastore.ts";
import { applicationServer } from "../../docs/examples/application-server/server.ts";
import { useSystem } from "../system/index.ts";

const PASSPHRASE = "a secret of the server, at random";
const system = useSystem({ level: "master" });
let dir: string;
let steps: Step[] = [];
let running: Awaited<ReturnType<typeof start>>;

/** The server of docs/examples, its app-specific key beside its ciphertext; decrypted keys go after a second. */
async function start() {
  const { appOrigin: app, vaultOrigin: vault } = system;
  const appKey = () => openAppKey(appKeyFile(join(dir, "app-specific-key.pem")), PASSPHRASE);
  const instance = { appKey, timeToLive: 1000, watch: (step: Step) => void steps.push(step) };
  const client: Client = await connect({
    ...{ app, vault, rootKey: system.running.rootKey, user: "server", instance },
  });
  const enrolled = await client.microservice.use();
  const account = client.account();
  const server = applicationServer({
    microservice: enrolled.port,
    tenant: client.identity.tenant,
    datastore: new Datastore(dir),
    accountOf: ({ headers }) => (headers.get("authorization") === "Bearer device" ? account : undefined),
  });
  const device = { authorization: "Bearer device" };
  const path = (id: string) => `/documents/${id}`;
  return {
    ...{ client, account, server, enrolled },
    upload: (id: string, body: string) => server.request(path(id), { method: "PUT", headers: device, body }),
    download: (id: string) => server.request(path(id), { headers: device }),
  };
}

/** `who what`, in order. */
const told = () =>
  steps.map((step) => [step.step, step.what, "whom" in step && step.whom].filter(Boolean).join(" "));

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "coffer-application-server-"));
  running = await start();
});
afterAll(async () => {
  running?.client.close();
  await rm(dir, { recursive: true });
});
it("W4 reads its app-specific key and asks the KMS for Enc(master) at start-up, before any request", () => {
  expect(running.enrolled.instance.level).toBe("master");
  expect(told()).toEqual([
    "read app-specific key",
    ...["ask token IAM", "get token IAM"],
    ...["ask master key KMS", "get master key KMS"],
  ]);
  steps = [];
});
