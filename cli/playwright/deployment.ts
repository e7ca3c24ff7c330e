/** A whole deployment for one worker of Playwright: HSM emulator, edge in workerd, page and vault, in a folder that ends with it. */

import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EVIDENCE_FAULTS, type EvidenceFaultName, emulatedEnclave } from "#emulator/enclave/index.ts";
import { createPortClient } from "#protocol/port/index.ts";
import { type HsmDoor, type OpenedDoor, openDoor } from "./hsm-door.ts";

/** What may be another way than `coffer start` has it. */
export interface DeploymentOptions {
  /** More apps of the tenant, by their origins: yours, where it is not the shipped page that you try. */
  apps?: string[];
  /** Release level of the tenant; `data` unless said otherwise. */
  level?: "data" | "account" | "master";
  /** Who administers the tenant, by names. */
  admins?: string[];
  /** Override the edge's variables (docs/operations.md). */
  vars?: Record<string, string>;
}

export interface CofferDeployment {
  /** Where the shipped page is served, and the interface of its app. */
  readonly appOrigin: string;
  readonly vaultOrigin: string;
  /** SPKI of the tenant's root key, as `connect` of `@coffer/kit/node` takes it. */
  readonly rootKey: Uint8Array<ArrayBuffer>;
  /** The way to the HSM: take it down, make it slow, mend it. */
  readonly hsm: HsmDoor;
  /**
   * Starts a microservice in the enclave emulator for this user and has it enrol by its evidence, in which `fault` is wrong (docs/enclave-emulator.md
   * has their names). Answers `enrolled`, or the code by which it was refused. It ends at once.
   */
  enrolInEnclave(user: string, fault?: EvidenceFaultName): Promise<string>;
}

/** Starts it on free ports. `close` ends it, with all that it has stored. */
export async function startDeployment(
  options: DeploymentOptions = {},
): Promise<CofferDeployment & { close(): Promise<void> }> {
  // The command's parts are loaded here: the entry is imported by what lists tests, too.
  const { startAll } = await import("../start-all.ts");
  const dir = await mkdtemp(join(tmpdir(), "coffer-playwright-"));
  let door: OpenedDoor | undefined;
  const remove = async () => {
    door?.close();
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const [app, vault, ttlv, https, identity] = await freePorts(5);
    const running = await startAll({
      ...options,
      dir,
      ports: { app, vault, ttlv, https, identity },
      hsmDoor: async (port) => {
        door = await openDoor(port);
        return door.port;
      },
    });
    if (door === undefined) throw new Error("The HSM has no door");
    const { appOrigin, vaultOrigin, rootKey } = running;
    return {
      ...{ appOrigin, vaultOrigin, rootKey, hsm: door },
      enrolInEnclave: (user, fault) => enrolInEnclave(dir, { appOrigin, vaultOrigin, rootKey, user }, fault),
      async close() {
        await running.close();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

type Of = Pick<CofferDeployment, "appOrigin" | "vaultOrigin" | "rootKey"> & { user: string };

async function enrolInEnclave(
  dir: string,
  { appOrigin, vaultOrigin, rootKey, user }: Of,
  fault: EvidenceFaultName | undefined,
): Promise<string> {
  const [{ connect }, { developmentPlatform, nodeMicroservice }, { launch }, { codeOf }] = await Promise.all([
    import("../client.ts"),
    import("../attestation.ts"),
    import("#web/hosts/node/index.ts"),
    import("#protocol/error.ts"),
  ]);
  const client = await connect({ app: appOrigin, vault: vaultOrigin, rootKey, user });
  try {
    const [platform, built] = await Promise.all([developmentPlatform(dir), nodeMicroservice(dir)]);
    const wrong = fault && EVIDENCE_FAULTS[fault];
    const enclave = emulatedEnclave(platform, built, { vault: vaultOrigin }, wrong);
    const { dn: custodian } = client.identity.custodian;
    const { handed } = await client.enrolment("attestation");
    const { code } = enclave;
    const launched = await launch({ code, vault: vaultOrigin, origin: appOrigin, custodian, enclave });
    const port = createPortClient(launched.port);
    try {
      await port.hello(custodian);
      return await port.enrol(handed).then(() => "enrolled", codeOf);
    } finally {
      port.close();
      launched.stop();
      await launched.ended;
    }
  } finally {
    client.close();
  }
}

type Ports = [number, number, number, number, number];

/** All taken at once, so that no two are the same. */
async function freePorts(count: 5): Promise<Ports> {
  const servers = await Promise.all(Array.from({ length: count }, listening));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports as Ports;
}

function listening(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}
