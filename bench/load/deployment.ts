/** A deployment of any checkout of this repository, in a process of its own: its HSM, its edge, counted. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const HOST = fileURLToPath(new URL("./host.ts", import.meta.url));

export type Deployment = {
  appOrigin: string;
  vaultOrigin: string;
  close(): Promise<void>;
};

/** Starts the code of `checkout` on the folder `dir`. */
export async function deploy(checkout: string, dir: string): Promise<Deployment> {
  const child: ChildProcess = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", HOST, checkout, dir],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const ended = once(child, "exit");
  const line = once(createInterface(child.stdout!), "line") as Promise<[string]>;
  const [told] = await Promise.race([
    line,
    ended.then(([code]) => {
      throw new Error(`The deployment of ${checkout} ended with ${code}`);
    }),
  ]);
  const close = async () => {
    child.stdin!.end();
    await ended;
  };
  return { ...(JSON.parse(told) as { appOrigin: string; vaultOrigin: string }), close };
}
