/** A deployment of any checkout of this repository, in a process of its own: its HSM, its edge, counted. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const HOST = fileURLToPath(new URL("./host.ts", import.meta.url));

export type Deployment = {
  appOrigin: string;
  vaultOrigin: string;
  /** Of the process with the HSM, which has started workerd. */
  pid: number;
  close(): Promise<void>;
};

/** Starts the code of `checkout` on the folder `dir`. `counted`: which objects are asked, and for what: counting takes a part of each request's time. */
export async function deploy(
  checkout: string,
  dir: string,
  { counted }: { counted: boolean },
): Promise<Deployment> {
  const child: ChildProcess = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", HOST, checkout, dir, ...(counted ? ["counted"] : [])],
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
  return { ...(JSON.parse(told) as { appOrigin: string; vaultOrigin: string }), pid: child.pid!, close };
}
