/**
 * A whole deployment in the network namespace that this process was started in, where loopback is all that there is: HSM, edge, and the three
 * user ids of custodian, sidecar and microservice. What each of them reaches goes to standard output, as one line of JSON.
 */

import { networkInterfaces } from "node:os";
import { json } from "../support/http.ts";
import { startSystem } from "../support/start.ts";
import { deploy } from "./deployed.ts";
import { finished, UIDS, type Who } from "./unprivileged.ts";

export type CutOff = {
  /** Of the namespace. */
  interfaces: string[];
  /** By user id: what became of a connection to the address outside, and of one to the microservice's socket. */
  outside: Record<string, string>;
  microservice: Record<string, string>;
  /** What the custodian did with its microservice, by way of the sidecar. */
  custodian: string;
};

const KNOCK = `const [host, port] = process.argv.slice(1);
  require("node:net").connect(port ? { host, port: Number(port) } : { path: host })
    .on("connect", () => { console.log("open"); process.exit(); }).on("error", ({ code }) => console.log(code))`;
const EVERYTHING = {
  statements: [{ effect: "allow", principals: "*", actions: "*", resources: "*" }],
};

const [host = "", port = ""] = process.argv.slice(2);
const system = await startSystem();
try {
  const deployed = await deploy(system, EVERYTHING);
  try {
    const { custodian, identity, place, socket } = deployed;
    const issued = await custodian.client.rest("POST", "/ra/secret-zeros", { custodian: custodian.dn });
    const { secretZero } = json<{ secretZero: string }>(issued);
    const origins = { appOrigin: system.appOrigin, vaultOrigin: system.vaultOrigin };
    const settings = JSON.stringify({ origins, user: "Ada", place, identity, secretZero });
    const file = deployed.give("custodian", "settings.json", settings);
    const { out, err } = await finished("custodian", ["test/hosts/b1-custodian.ts", file]);
    const knocks = async (...to: string[]) => {
      const who = Object.keys(UIDS) as Who[];
      const got = await Promise.all(who.map((one) => finished(one, ["-e", KNOCK, ...to])));
      return Object.fromEntries(who.map((one, at) => [one, got[at]!.out.trim()]));
    };
    const found: CutOff = {
      interfaces: Object.keys(networkInterfaces()),
      outside: await knocks(host, port),
      microservice: await knocks(socket),
      custodian: err + out,
    };
    process.stdout.write(`${JSON.stringify(found)}\n`);
  } finally {
    await deployed.close();
  }
} finally {
  await system.close();
}
