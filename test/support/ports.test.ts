import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { expect, it } from "vitest";
import { freePorts } from "./ports.ts";

const PORTS = JSON.stringify(new URL("ports.ts", import.meta.url).href);
const ASK = `import { freePorts } from ${PORTS};
process.on("message", () => process.exit());
process.send(await freePorts(40));`;

/** A process that has taken ports, listens on none of them and lives on. */
async function another() {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", ASK], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const [ports] = (await once(child, "message")) as [number[]];
  return { child, ports };
}

it("gives no port that another process was given, though nobody listens there yet", async () => {
  const others = await Promise.all(Array.from({ length: 4 }, another));
  try {
    const own = await Promise.all(Array.from({ length: 4 }, () => freePorts(10)));
    const given = [...own.flat(), ...others.flatMap(({ ports }) => ports)];
    expect(given).toHaveLength(200);
    expect(new Set(given).size).toBe(200);
  } finally {
    for (const { child } of others) child.kill();
  }
});

it("gives no port that is listened to, however often it is asked", async () => {
  const [port] = await freePorts(1);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  try {
    for (let rounds = 0; rounds < 30; rounds++) expect(await freePorts(10)).not.toContain(port);
  } finally {
    server.close();
  }
});
