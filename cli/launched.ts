/** A microservice in a process of its own that enrols for a client, as a deployer launches it (M1, M2, M3). */

import type { MethodName } from "#protocol/enrolment.ts";
import { createPortClient, type PortClient } from "#protocol/port/index.ts";
import { type LaunchOptions, launch } from "#web/hosts/node/index.ts";
import type { Client } from "./client.ts";

export interface Launched {
  port: PortClient;
  hello: Awaited<ReturnType<PortClient["hello"]>>;
  pid: number;
  /** Resolves when its process has ended. */
  ended: Promise<unknown>;
  /** Has it enrol. Errors: `CofferError`. */
  enrol(): ReturnType<PortClient["enrol"]>;
}

type Of = Pick<LaunchOptions, "vault" | "origin" | "enclave"> & { method: MethodName; code: Uint8Array };

/** Does this with it; its process ends before this is answered. */
export async function withLaunched<T>(
  { identity, enrolment }: Pick<Client, "identity" | "enrolment">,
  { method, code, enclave, ...of }: Of,
  work: (launched: Launched) => Promise<T>,
): Promise<T> {
  const { handed, cookie } = await enrolment(method);
  const { dn: custodian } = identity.custodian;
  const launched = await launch({
    ...{ ...of, code, custodian },
    ...(cookie !== undefined && { cookie }),
    ...(enclave && { enclave }),
  });
  const port = createPortClient(launched.port);
  try {
    const hello = await port.hello(custodian);
    const { pid, ended } = launched;
    return await work({ port, hello, pid, ended, enrol: () => port.enrol(handed) });
  } finally {
    port.close();
    launched.stop();
    await launched.ended;
  }
}
