/** Microservice and sidecar of one custodian on this machine, each a process under a user id of its own. */

import type { ChildProcess } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootKeyPem } from "#cli/root-key.ts";
import type { Place, TlsIdentity } from "#web/hosts/node/index.ts";
import type { System } from "../support/start.ts";
import { type Authority, makeAuthority } from "./authority.ts";
import { custodianOf, type NodeCustodian } from "./custodian.ts";
import { firstLine, start, stop, UIDS, type Who } from "./unprivileged.ts";

export const NAMES = { sidecar: "CN=sidecar,O=coffer", microservice: "CN=microservice,O=coffer" } as const;

export type Deployed = {
  authority: Authority;
  custodian: NodeCustodian;
  /** Of the custodian's app. */
  identity: TlsIdentity;
  /** Of the sidecar, and the microservice's socket behind it. */
  place: Place;
  socket: string;
  audit: string;
  processes: Record<"microservice" | "sidecar", ChildProcess>;
  /** A file that one of them alone can read. */
  give(who: Who, name: string, content: string): string;
  close(): Promise<void>;
};

/** `policy`: of the sidecar; default: everything to the one custodian. */
export async function deploy(system: System, policy: object): Promise<Deployed> {
  const [authority, custodian] = await Promise.all([makeAuthority(), custodianOf(system, "Ada")]);
  const dir = mkdtempSync(join(tmpdir(), "coffer-deployed-"));
  chmodSync(dir, 0o755);
  for (const who of Object.keys(UIDS) as Who[]) {
    // What each listens on is beside what it keeps to itself.
    mkdirSync(join(dir, who));
    mkdirSync(join(dir, who, "own"), { mode: 0o700 });
    for (const folder of [who, join(who, "own")]) chownSync(join(dir, folder), UIDS[who], UIDS[who]);
  }
  const give = (who: Who, name: string, content: string) => {
    const path = join(dir, who, "own", name);
    writeFileSync(path, content, { mode: 0o600 });
    chownSync(path, UIDS[who], UIDS[who]);
    return path;
  };
  const settings = async (who: "microservice" | "sidecar", more: object) => {
    for (const [part, pem] of Object.entries(await authority.issue(NAMES[who])))
      give(who, `${part}.pem`, pem);
    const identity = { key: "key.pem", cert: "cert.pem", ca: "ca.pem" };
    return give(who, "settings.json", JSON.stringify({ identity, ...more }));
  };
  const run = async (who: "microservice" | "sidecar", file: string) => {
    const child = start(who, ["cli/coffer.js", who, file]);
    return { child, place: JSON.parse(await firstLine(child)) as Place };
  };

  const socket = join(dir, "microservice", "microservice.sock");
  const { client, dn } = custodian;
  give("microservice", "root.pem", rootKeyPem(system.running.rootKey));
  const microservice = await run(
    "microservice",
    await settings("microservice", {
      ...{ place: { socket }, peers: [NAMES.sidecar], custodian: dn, rootKey: "root.pem" },
      ...{ vault: client.vault, origin: client.app },
    }),
  );
  // What a service manager does (docs/deploy): the socket is the sidecar's, with the mode that it has.
  chownSync(socket, UIDS.sidecar, UIDS.sidecar);
  give("sidecar", "policy.json", JSON.stringify(policy));
  const sidecar = await run(
    "sidecar",
    await settings("sidecar", {
      ...{ place: { port: 0 }, custodians: [dn], policy: "policy.json", audit: "audit.jsonl" },
      microservice: { socket, name: NAMES.microservice },
      pace: { perSecond: 1, atOnce: 60 },
    }),
  );
  return {
    ...{ authority, custodian, socket, place: sidecar.place, give },
    identity: await authority.issue(dn),
    audit: join(dir, "sidecar", "own", "audit.jsonl"),
    processes: { microservice: microservice.child, sidecar: sidecar.child },
    async close() {
      await stop(sidecar.child);
      await stop(microservice.child);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
