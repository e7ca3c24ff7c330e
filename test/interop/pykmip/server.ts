import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect as tcpConnect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findPrograms } from "#cli/program.js";
import { ensurePki, issueClient } from "#emulator/hsm/index.ts";
import type { TlsTransportOptions } from "#kmip-node/index.ts";
import { startGroup } from "../../support/group.ts";
import { freePorts } from "../../support/ports.ts";

export interface PyKmipServer {
  port: number;
  /** What our client needs. */
  connection: TlsTransportOptions;
  log(): string;
  close(): Promise<void>;
}

/** Debian's PyKMIP server (KMIP 1.0 to 2.0, TLS 1.2) on a free port, with a database of its own in `dir`. */
export async function startPyKmipServer(dir: string): Promise<PyKmipServer> {
  mkdirSync(join(dir, "policies"), { recursive: true });
  const pki = await ensurePki(join(dir, "pki"));
  const client = await issueClient(pki.dir, "coffer-client");
  const [port] = (await freePorts(1)) as [number];
  const log = join(dir, "server.log");
  rmSync(join(dir, "server.db"), { force: true });
  const config = join(dir, "server.conf");
  writeFileSync(
    config,
    `[server]
hostname=127.0.0.1
port=${port}
certificate_path=${join(pki.dir, "server.pem")}
key_path=${join(pki.dir, "server.key")}
ca_path=${join(pki.dir, "client-ca.pem")}
auth_suite=TLS1.2
policy_path=${join(dir, "policies")}
enable_tls_client_auth=True
tls_cipher_suites=
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256
logging_level=INFO
database_path=${join(dir, "server.db")}
`,
  );
  const [program] = findPrograms("pykmip-server");
  if (program === undefined) throw new Error("PyKMIP's server is not installed (Debian: python3-pykmip)");
  // It starts two processes of its own, which outlive it.
  const group = startGroup(program, ["-f", config, "-l", log]);
  let running = true;
  void group.ended.then(() => {
    running = false;
  });
  const text = () => {
    try {
      return readFileSync(log, "utf8");
    } catch {
      return "";
    }
  };
  for (let tries = 0; !(await listens(port)); tries++) {
    if (tries < 100 && running) await sleep(100);
    else {
      await group.kill();
      throw new Error(`PyKMIP's server did not start: ${text()}`);
    }
  }
  return {
    port,
    connection: { host: "127.0.0.1", port, ca: pki.serverCa, ...client },
    log: text,
    close: () => group.kill(),
  };
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = tcpConnect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
