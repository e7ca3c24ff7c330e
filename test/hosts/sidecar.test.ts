import { execFile, spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyAuditFile } from "#web/hosts/sidecar/index.ts";
import { json, problem } from "../support/http.ts";
import { skipped } from "../support/missing.ts";
import { useSystem } from "../system/index.ts";
import type { CutOff } from "./cut-off.ts";
import { type Deployed, deploy, NAMES } from "./deployed.ts";
import { serviceClient } from "./index.ts";
import { finished, mayChange, ROOT, stop, UIDS } from "./unprivileged.ts";

const skip = !mayChange && skipped("Processes under other user ids are started by root alone");

/** Everything to the custodian, but what its app marks as from a batch, and what is locked. */
const POLICY = {
  statements: [
    { effect: "allow", principals: "*", actions: "*", resources: "*" },
    {
      ...{ effect: "deny", principals: "*", actions: "*", resources: "*" },
      conditions: { headers: { "x-purpose": "batch" } },
    },
    { effect: "deny", principals: "*", actions: "*", resources: ["locks"] },
  ],
};

describe.skipIf(skip)("with a sidecar", () => {
  const system = useSystem();
  let deployed: Deployed;
  const rows = () =>
    readFileSync(deployed.audit, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as { peer: string; path: string; decision: string; reason?: string });

  beforeAll(async () => {
    deployed = await deploy(system, POLICY);
  });
  afterAll(() => deployed?.close());

  it("B4 custodian, sidecar and microservice on one machine: the whole of B1, every message by way of the sidecar", async () => {
    const { custodian, identity, place } = deployed;
    const { client, dn } = custodian;
    const issued = await client.rest("POST", "/ra/secret-zeros", { custodian: dn });
    const { secretZero } = json<{ secretZero: string }>(issued);
    const origins = { appOrigin: client.app, vaultOrigin: client.vault };
    const settings = JSON.stringify({ origins, user: "Ada", place, identity, secretZero });
    const file = deployed.give("custodian", "settings.json", settings);
    const { code, out, err } = await finished("custodian", ["test/hosts/b1-custodian.ts", file]);
    expect(err + out).toBe(
      [
        "microservice enrolled by secret-zero",
        "KMS data key encrypted by the tenant key",
        "microservice wrapping certificate",
        "KMS wrapped key",
        "microservice key unwrapped",
        "microservice key used",
        "",
      ].join("\n"),
    );
    expect(code).toBe(0);
    expect(rows().map(({ peer, path, decision }) => `${peer === dn} ${decision} ${path}`)).toEqual([
      "true allow /enrolments",
      "true allow /instance",
      "true allow /keys",
      "true allow /operations/encrypt",
      "true allow /operations/decrypt",
    ]);
    expect(verifyAuditFile(deployed.audit)).toBe(5);
    expect(statSync(deployed.audit).mode & 0o777).toBe(0o600);
  });

  it("B4 the socket's mode keeps everybody from the microservice but the sidecar, whatever certificate they have", async () => {
    const { socket, give, authority } = deployed;
    const { mode, uid } = statSync(socket);
    expect([mode & 0o777, uid]).toEqual([0o600, UIDS.sidecar]);
    const knock = `require("node:net").connect(process.argv[1])
      .on("connect", () => { console.log("open"); process.exit(); }).on("error", ({ code }) => console.log(code))`;
    const reach = async (who: keyof typeof UIDS) => (await finished(who, ["-e", knock, socket])).out.trim();
    expect(await reach("custodian")).toBe("EACCES");
    expect(await reach("microservice")).toBe("EACCES");
    expect(await reach("sidecar")).toBe("open");
    // Beyond the socket too: the microservice lets the sidecar's name in and no other.
    const own = serviceClient({ socket }, deployed.identity);
    expect(problem(await own.call("describe"))).toBe("403 foreign-custodian");
    own.close();
    const posing = serviceClient({ socket }, await authority.issue(NAMES.microservice));
    expect(problem(await posing.call("describe"))).toBe("403 foreign-custodian");
    posing.close();
    expect(give("custodian", "x", "")).not.toBe("");
  });

  it("M15 the sidecar decides by name, path and headers, and writes each decision down first", async () => {
    const { place, identity, authority } = deployed;
    const before = rows().length;
    const client = serviceClient(place, identity);
    const random = { body: { length: 8 } };
    expect((await client.call("random", random)).status).toBe(200);
    const batch = { ...random, headers: { "x-purpose": "batch" } };
    expect(problem(await client.call("random", batch))).toBe("403 forbidden");
    expect(problem(await client.call("lock", { body: {} }))).toBe("403 forbidden");
    expect(problem(await client.send("POST", "/operations/../locks", { body: {} }))).toBe("403 forbidden");
    expect(problem(await client.send("POST", "//locks", { body: {} }))).toBe("403 forbidden");
    const stranger = serviceClient(place, await authority.issue("CN=somebody,O=coffer"));
    expect(problem(await stranger.call("random", random))).toBe("403 forbidden");
    expect(
      rows()
        .slice(before)
        .map(({ decision, path }) => `${decision} ${path}`),
    ).toEqual([
      "allow /operations/random",
      "deny /operations/random",
      "deny /locks",
      "deny /operations/../locks",
      "deny //locks",
      "deny /operations/random",
    ]);
    expect(rows().at(-1)).toMatchObject({ peer: "CN=somebody,O=coffer", reason: "another custodian" });
    stranger.close();
    client.close();
  });

  it("M15 a name that asks too often waits, and the others do not", async () => {
    const { place, identity } = deployed;
    const client = serviceClient(place, identity);
    const answers = await Promise.all(
      Array.from({ length: 80 }, () => client.call("random", { body: { length: 1 } })),
    );
    const late = answers.filter(({ status }) => status === 429);
    expect(late.length).toBeGreaterThan(0);
    expect(Number(late[0]!.headers["retry-after"])).toBeGreaterThan(0);
    expect(answers.every(({ status }) => status === 200 || status === 429)).toBe(true);
    client.close();
    const other = serviceClient(place, await deployed.authority.issue("CN=somebody,O=coffer"));
    expect(problem(await other.call("describe"))).toBe("403 forbidden");
    other.close();
  });

  it("M15 says so where there is no microservice behind it", async () => {
    const { place, identity, processes } = deployed;
    await stop(processes.microservice);
    const client = serviceClient(place, identity);
    await expect
      .poll(async () => problem(await client.call("describe")), { timeout: 10_000, interval: 300 })
      .toBe("503 no-microservice");
    client.close();
  });
});

/** A network namespace of its own, in which loopback is up. */
const NAMESPACE = ["--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"];
const mayCut = mayChange && spawnSync("unshare", [...NAMESPACE, "true"]).status === 0;
const uncut = !mayCut && skipped("A network namespace is made by root alone, with unshare and ip");

describe.skipIf(uncut)("in a network namespace without a way out", () => {
  it("B4 M15 custodian, sidecar and microservice work together, the sidecar alone reaches the microservice, and none of them anything else", async () => {
    const outside = createServer((socket) => socket.end());
    await new Promise<void>((resolve) => outside.listen(0, "0.0.0.0", resolve));
    const { port } = outside.address() as { port: number };
    // Of this machine on its network where it has one; it answers here, as the control.
    const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    const host =
      addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "127.0.0.1";
    try {
      const knock = `require("node:net").connect(${port}, "${host}").on("connect", () => { console.log("open"); process.exit(); })`;
      expect((await finished("custodian", ["-e", knock])).out.trim()).toBe("open");
      const args = [...NAMESPACE, process.execPath, "test/hosts/cut-off.ts", host, String(port)];
      const { stdout } = await promisify(execFile)("unshare", args, { cwd: ROOT });
      const found = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as CutOff;
      expect(found.interfaces).toEqual(["lo"]);
      for (const [who, answer] of Object.entries(found.outside))
        expect(answer, who).toMatch(/^(ENETUNREACH|ECONNREFUSED|EHOSTUNREACH)$/);
      expect(found.microservice).toEqual({ custodian: "EACCES", sidecar: "open", microservice: "EACCES" });
      expect(found.custodian.trimEnd().split("\n").at(-1)).toBe("microservice key used");
    } finally {
      outside.close();
    }
  }, 300_000);
});
