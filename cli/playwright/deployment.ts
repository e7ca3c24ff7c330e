/** A whole deployment for one worker of Playwright: HSM emulator, edge in workerd, page and vault, in a folder that ends with it. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  EVIDENCE_FAULTS,
  type EvidenceFaultName,
  emulatedEnclave,
  type FaultSwitch,
} from "#emulator/enclave/index.ts";
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
  /** Which fault the next enrolments have, those of the browser too, as the emulator's page of faults turns it: `turn("service/verifier-down")`, `turn(null)`. */
  readonly faults: Pick<FaultSwitch, "origin" | "on" | "turn">;
  /**
   * Starts a microservice in the enclave emulator for this user and has it enrol by its evidence, in which `fault` is wrong (docs/enclave-emulator.md
   * has their names), or what `faults` has turned on of an EAT. Answers `enrolled`, or the code by which it was refused. It ends at once.
   */
  enrolInEnclave(user: string, fault?: EvidenceFaultName): Promise<string>;
}

/** Starts it on free ports. `close` ends it, with all that it has stored. */
export async function startDeployment(
  options: DeploymentOptions = {},
): Promise<CofferDeployment & { close(): Promise<void> }> {
  // The command's parts are loaded here: the entry is imported by what lists tests, too.
  const [{ startAll }, { withFreePorts }] = await Promise.all([
    import("../start-all.ts"),
    import("../ports.ts"),
  ]);
  const dir = await mkdtemp(join(tmpdir(), "coffer-playwright-"));
  let door: OpenedDoor | undefined;
  const remove = async () => {
    door?.close();
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const running = await withFreePorts(5, ([app, vault, ttlv, https, identity]) => {
      // Of an attempt that found a port taken.
      door?.close();
      door = undefined;
      return startAll({
        ...options,
        dir,
        ports: { app, vault, ttlv, https, identity, faults: 0 },
        hsmDoor: async (port) => {
          door = await openDoor(port);
          return door.port;
        },
      });
    });
    if (door === undefined) throw new Error("The HSM has no door");
    const { appOrigin, vaultOrigin, rootKey, faults } = running;
    if (faults === null) throw new Error("Production has no emulator");
    return {
      ...{ appOrigin, vaultOrigin, rootKey, hsm: door, faults },
      enrolInEnclave(user, fault) {
        const on = faults.on();
        const name = fault ?? (on?.group === "eat" ? (on.name as EvidenceFaultName) : undefined);
        return enrolInEnclave(dir, { appOrigin, vaultOrigin, rootKey, user }, name);
      },
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
  const [{ connect }, { developmentPlatform, nodeMicroservice }, { withLaunched }, { codeOf }] =
    await Promise.all([
      import("../client.ts"),
      import("../attestation.ts"),
      import("../launched.ts"),
      import("#protocol/error.ts"),
    ]);
  const client = await connect({ app: appOrigin, vault: vaultOrigin, rootKey, user });
  try {
    const [platform, built] = await Promise.all([developmentPlatform(dir), nodeMicroservice(dir)]);
    const wrong = fault && EVIDENCE_FAULTS[fault];
    const enclave = emulatedEnclave(platform, built, { vault: vaultOrigin }, wrong);
    const { code } = enclave;
    const of = { method: "attestation", code, vault: vaultOrigin, origin: appOrigin, enclave } as const;
    return await withLaunched(client, of, ({ enrol }) => enrol().then(() => "enrolled", codeOf));
  } finally {
    client.close();
  }
}
