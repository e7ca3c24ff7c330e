/** The origins of a development deployment: ports of `localhost`, on every address that a browser may try for it. */

import { request } from "node:http";
import { beforeAll, expect, it } from "vitest";
import { claimPort, type Listener } from "#edge/loopback.ts";
import { useSystem } from "../system/index.ts";

const system = useSystem({ otherApps: ["second"] });
/** Loopback addresses of this machine. */
let hosts: string[];
beforeAll(async () => {
  const free = await claimPort(0);
  hosts = free.map(({ host }) => host);
});

/** What answers there, whatever the name resolves to: the page's title, or the status. */
function title({ host, port }: Listener, asked: Record<string, string> = {}): Promise<string> {
  return new Promise((resolve) => {
    const headers = { host: `localhost:${port}`, ...asked };
    const sent = request({ host, port, headers, agent: false }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      answer.on("end", () => resolve(/<title>(.*?)<\/title>/.exec(text)?.[1] ?? `${answer.statusCode}`));
    });
    sent.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "")).end();
  });
}

it("app, vault and further apps are ports of localhost, each with its own page on every loopback address", async () => {
  const { appOrigin, vaultOrigin } = system;
  const origins = {
    [appOrigin]: "Coffer",
    [vaultOrigin]: "Coffer vault",
    [system.origin("second")]: "Coffer",
  };
  expect(Object.keys(origins)).toHaveLength(3);
  for (const [origin, expected] of Object.entries(origins)) {
    const { hostname, port } = new URL(origin);
    expect(hostname).toBe("localhost");
    for (const host of hosts)
      expect(await title({ host, port: Number(port) }), `${origin} on ${host}`).toBe(expected);
  }
});

it("a port of the edge is taken on every loopback address", async () => {
  for (const origin of [system.appOrigin, system.vaultOrigin]) {
    const port = Number(new URL(origin).port);
    for (const host of hosts) await expect(claimPort(port), host).rejects.toThrow("is in use");
  }
});

it("a foreign Host is refused on every address, whatever another header says that was asked for", async () => {
  const { appOrigin, vaultOrigin } = system;
  for (const origin of [appOrigin, vaultOrigin]) {
    const port = Number(new URL(origin).port);
    const foreign = [
      `evil.example:${port}`,
      `127.0.0.1:${port}`,
      `[::1]:${port}`,
      "localhost",
      "localhost:1",
    ];
    const told: Record<string, string>[] = [
      {},
      { "mf-original-url": `${vaultOrigin}/` },
      { "x-forwarded-host": `localhost:${port}` },
    ];
    for (const address of hosts)
      for (const host of foreign)
        for (const more of told)
          expect(
            await title({ host: address, port }, { host, ...more }),
            `${host} ${JSON.stringify(more)} on ${address}:${port}`,
          ).toBe("421");
  }
});
