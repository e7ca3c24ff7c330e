import { userInfo } from "node:os";
import { resolve } from "node:path";
import { type Client, connect } from "./client.ts";
import { readDeployment } from "./deployment.ts";

/** Options of every command that acts as a user. */
export const sessionOptions = {
  dir: { type: "string", default: ".coffer" },
  user: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

export const SESSION_HELP = `  --user NAME   sign in by this name (development)     (your login name)
  --dir PATH    where \`coffer start\` runs from         (.coffer)
`;

/** Signs in at the running deployment and runs `work`; the microservice and its keys end with it. */
export async function withClient<T>(
  { dir, user }: { dir: string; user?: string | undefined },
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const deployment = await readDeployment(resolve(dir));
  const client = await connect({
    ...deployment,
    user: user ?? userInfo().username,
    onWait: (wait) =>
      process.stderr.write(`Waiting ${Math.ceil(wait / 1000)} s: the server has too many requests.\n`),
  });
  try {
    return await work(client);
  } finally {
    client.close();
  }
}
