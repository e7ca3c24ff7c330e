/** The strict variant of level `master` on a system under test, by the commands that an operator has for it. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeDeployment } from "#cli/deployment.ts";
import { run } from "../cli/command.ts";
import type { System } from "./start.ts";

const TENANT = "development";

export class Recovery {
  readonly #system: System;
  readonly #dir: string;
  /** What the commands printed last. */
  said = "";

  /** The recovery recipient's key lies in `dir`, outside of the system. */
  constructor(system: System, dir: string) {
    this.#system = system;
    this.#dir = dir;
    writeFileSync(join(dir, "passphrase"), "a secret of the recovery recipient's holder\n");
  }

  get keyFile(): string {
    return join(this.#dir, "recovery.pem");
  }

  /** The HSM has the master key no more. */
  async makeStrict(): Promise<void> {
    await this.destroy(await this.prepare());
  }

  /** The recovery recipient has the master key too. Its thumbprint. */
  async prepare(): Promise<string> {
    const { appOrigin: app, vaultOrigin: vault, running, dir } = this.#system;
    await writeDeployment(dir, { app, vault, rootKey: running.rootKey });
    await this.#coffer("prepare", "--user", "holder", "--dir", dir, ...this.#key());
    return /recipient: ([\w-]{43})\n/.exec(this.said)?.[1] ?? "";
  }

  destroy(recipient: string): Promise<void> {
    const what = ["--immediately", "--tenant", TENANT, `--recipient=${recipient}`];
    return this.#coffer("destroy", ...what, ...this.#officer());
  }

  /** The ceremony for the instance whose app-specific key has this thumbprint, with what happens in it. */
  async ceremony<T>(recipient: string, work: () => Promise<T>): Promise<T> {
    const of = ["--tenant", TENANT, `--recipient=${recipient}`];
    await this.#coffer("begin", ...of, ...this.#key(), ...this.#officer());
    const id = /in the HSM: (\S+)\n/.exec(this.said)?.[1] ?? "";
    try {
      return await work();
    } finally {
      await this.#coffer("end", "--id", id, ...this.#officer());
    }
  }

  async #coffer(...args: string[]): Promise<void> {
    const { code, stdout, stderr } = await run(["recovery", ...args], this.#dir);
    if (code !== 0) throw new Error(`coffer recovery ${args[0]}: ${stdout}${stderr}`);
    this.said = stdout;
  }

  #key(): string[] {
    return ["--recovery-key", this.keyFile, "--recovery-passphrase-file", join(this.#dir, "passphrase")];
  }

  #officer(): string[] {
    const { pki, hsm } = this.#system.running;
    const at = (name: string) => join(pki.dir, name);
    const name = "client-coffer-officer";
    const certificate = ["--cert", at(`${name}.pem`), "--key", at(`${name}.key`)];
    return ["--port", String(hsm.ttlvPort), "--ca", at("server-ca.pem"), ...certificate];
  }
}
