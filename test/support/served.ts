/** The server of docs/examples on an edge under test, its app-specific key beside its ciphertext, and what its instance tells. */

import { join } from "node:path";
import { type Client, connect } from "#cli/client.ts";
import { appKeyFile, keepAppKey, type NodeMicroserviceOptions } from "#web/hosts/node/index.ts";
import type { Step } from "#web/microservice/index.ts";
import { Datastore } from "../../docs/examples/application-server/datastore.ts";
import { applicationServer } from "../../docs/examples/application-server/server.ts";
import type { System } from "./start.ts";
import type { Wire } from "./wire.ts";

export const PASSPHRASE = "a secret of the server, at random";

/** `steps`: what is told is appended there. Decrypted keys go after a second. */
export async function serve(
  { appOrigin: app, vaultOrigin: vault, running: { rootKey } }: System,
  dir: string,
  steps: Step[],
  more: Pick<NodeMicroserviceOptions, "copiesTimeToLive" | "symmetricKey" | "timeToLive" | "watch"> = {},
  wire?: Wire,
) {
  const kept = keepAppKey(appKeyFile(join(dir, "app-specific-key.pem")), PASSPHRASE);
  const instance = { ...kept, timeToLive: 1000, watch: (step: Step) => void steps.push(step), ...more };
  const client: Client = await connect({
    ...{ app, vault, rootKey, user: "server", instance },
    ...(wire && { fetch: wire.fetch }),
  });
  const enrolled = await client.microservice.use();
  const account = client.account();
  const server = applicationServer({
    microservice: async () => (await client.microservice.use()).port,
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

/** `step what whom`, in order. */
export function told(steps: Step[]): string[] {
  return steps.map((step) => [step.step, step.what, "whom" in step && step.whom].filter(Boolean).join(" "));
}
