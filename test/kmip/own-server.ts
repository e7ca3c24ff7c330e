import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ensurePki,
  type HsmOptions,
  issueClient,
  type KeyAndCertificate,
  type Pki,
  startHsm,
} from "#emulator/hsm/index.ts";
import type { Endpoint, Transport } from "./connection.ts";

/** A server that is fresh for one case. */
export interface Server {
  endpoint: Endpoint;
  close(): Promise<void>;
}

/** Starts the emulator on free ports for each case, with an empty folder; certificates are made once. */
export class OwnServers {
  #dir = mkdtempSync(join(tmpdir(), "coffer-kmip-"));
  #pki: Promise<[Pki, KeyAndCertificate]> | undefined;

  async start(transport: Transport, options: Partial<HsmOptions> = {}): Promise<Server> {
    this.#pki ??= this.#certificates();
    const [pki, client] = await this.#pki;
    const dir = mkdtempSync(join(this.#dir, "case-"));
    const hsm = await startHsm({ dir, pki, ttlvPort: 0, httpsPort: 0, ...options });
    const port = transport === "tls" ? hsm.ttlvPort : hsm.httpsPort;
    return {
      endpoint: { host: "127.0.0.1", port, ca: pki.serverCa, ...client },
      close: async () => {
        await hsm.close();
        rmSync(dir, { recursive: true, force: true });
      },
    };
  }

  close(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #certificates(): Promise<[Pki, KeyAndCertificate]> {
    const dir = join(this.#dir, "pki");
    return [await ensurePki(dir), await issueClient(dir, "oasis")];
  }
}
