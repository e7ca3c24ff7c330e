/** The HSM: whether it is reached by mutual TLS alone, and whether its policy lets the deployment do its work. */

import { connect as connectTls } from "node:tls";
import { codeOf } from "#protocol/error.ts";
import { item } from "#protocol/kmip/index.ts";
import type { Client } from "../client.ts";
import { CommandError } from "../command-error.ts";
import { readNamed } from "../input.ts";
import { asOfficer, type OFFICER_OPTIONS } from "../officer.ts";
import { portOption } from "../ports.ts";
import { survey } from "../survey.ts";
import { type Finding, right, wrong } from "./finding.ts";
import { clocksFinding } from "./web.ts";

type Values = { [Name in keyof typeof OFFICER_OPTIONS]?: string | undefined };

/** How long a connection without a certificate is waited for, milliseconds: one that is still open then is let in. */
const PATIENCE = 5000;

/** By the edge: it makes a data key for a user and has it wrapped for an instance, which needs all of its identities at the HSM. */
export async function hsmByEdge(
  use: (work: (client: Client) => Promise<void>) => Promise<void>,
): Promise<Finding[]> {
  try {
    await use(async ({ microservice, documents, account }) => {
      await microservice.use();
      const probe = new TextEncoder().encode("coffer doctor");
      const { id } = await documents.seal(probe, account(), { name: "coffer doctor" });
      await documents.remove(id, { account: account() });
    });
  } catch (error) {
    const code = codeOf(error);
    if (code === "hsm-unavailable")
      return [
        wrong(
          "mutual-tls",
          "The edge does not reach its HSM",
          "See that the HSM runs, that COFFER_HSM_URL leads to it, and that the certificates of both are valid.",
        ),
      ];
    if (code === "hsm-refused")
      return [
        right("mutual-tls", "the edge reaches its HSM"),
        wrong(
          "hsm-policy",
          "The HSM refuses what the edge asks",
          "See its log; give each identity its rights again, and run `coffer init`, which makes what is missing.",
        ),
      ];
    throw error;
  }
  return [
    right("mutual-tls", "the edge reaches its HSM by its own certificates"),
    right("hsm-policy", "the HSM makes a key, and gives it to an instance"),
  ];
}

/** By the officer's certificate, from here. */
export async function hsmByOfficer(values: Values, tenants: string[]): Promise<Finding[]> {
  const found: Finding[] = [];
  const here = `${values.host ?? "127.0.0.1"}:${values.port ?? 5696}`;
  try {
    const { names, theirs } = await asOfficer(values, async (hsm) => {
      const { header } = await hsm.send([item("DiscoverVersions", { protocolVersion: [] })]);
      return { names: await survey(hsm, tenants, {}), theirs: header.timeStamp.getTime() };
    });
    found.push(clocksFinding("the HSM", theirs, Date.now()));
    found.push(
      (await letsInWithoutCertificate(values))
        ? wrong(
            "mutual-tls",
            `The HSM at ${here} takes connections without a certificate`,
            "Have its listener demand client certificates.",
          )
        : right("mutual-tls", `the HSM at ${here} takes the officer's certificate, and nobody without one`),
    );
    const missing = [...names].flatMap(([name, there]) => (there ? [] : [name]));
    found.push(
      missing.length === 0
        ? right("hsm-policy", "all keys of the deployment are there, for the officer to see")
        : wrong(
            "hsm-policy",
            `The HSM has no ${missing.join(", ")}, or does not let the officer see it`,
            "Run `coffer init` with each --tenant, or give the officer the right to locate its objects.",
          ),
    );
  } catch (error) {
    if (!(error instanceof CommandError) || error.exitCode === 2) throw error;
    found.push(
      wrong(
        "mutual-tls",
        `The HSM at ${here}: ${error.message}`,
        "See its address, and the files of --ca, --cert and --key.",
      ),
    );
  }
  return found;
}

/** By TLS 1.3 a server says after the handshake that it misses a certificate. */
async function letsInWithoutCertificate({ host = "127.0.0.1", port, ca = "" }: Values): Promise<boolean> {
  const authority = await readNamed(ca);
  return new Promise((resolve) => {
    const socket = connectTls({ host, port: portOption(port, "--port") ?? 5696, ca: authority });
    const end = (letIn: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(letIn);
    };
    const timer = setTimeout(() => end(socket.authorized), PATIENCE);
    socket.on("error", () => end(false)).on("close", () => end(false));
    socket.on("data", () => end(true));
  });
}
