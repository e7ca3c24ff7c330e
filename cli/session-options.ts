import { userInfo } from "node:os";
import { resolve } from "node:path";
import { CofferError } from "#protocol/error.ts";
import { CLIENT_HELP_LINES, CLIENT_OPTIONS, type ClientValues, registeredClientOf } from "./ci-client.ts";
import { type Client, type ClientOptions, connect } from "./client.ts";
import { CommandError } from "./command-error.ts";
import { type Deployment, readDeployment, readDeploymentFile } from "./deployment.ts";
import { expectOneInput } from "./input.ts";
import { START } from "./parts/index.ts";

/** Options of every command that acts as a user. */
export const sessionOptions = {
  dir: { type: "string", default: ".coffer" },
  user: { type: "string" },
  deployment: { type: "string" },
  ...CLIENT_OPTIONS,
  help: { type: "boolean", short: "h" },
} as const;

export const SESSION_HELP = `  --user NAME   sign in by this name (development)     (your login name)
  --dir PATH    where \`coffer start\` runs from         (.coffer)
  --deployment FILE     a deployment elsewhere: JSON with app, vault and rootKey
${CLIENT_HELP_LINES}`;

/** Who a command acts as, and where. */
export type SessionValues = {
  dir: string;
  user?: string | undefined;
  deployment?: string | undefined;
} & ClientValues;

/** The deployment that a command line names. Error: `CommandError`. */
export function deploymentOf({ dir, deployment }: SessionValues): Promise<Deployment> {
  return deployment === undefined ? readDeployment(resolve(dir)) : readDeploymentFile(deployment);
}

/** Signs in at the running deployment and runs `work`; the microservice and its keys end with it. */
export async function withClient<T>(
  { instance, fetch, ...values }: SessionValues & Pick<ClientOptions, "instance" | "fetch">,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const { dir, user } = values;
  expectOneInput(values.deployment, values["client-key"]);
  const named = await registeredClientOf(values);
  if (named !== undefined && user !== undefined)
    throw new CommandError("--user and --client do not go together.", 2);
  const deployment = await deploymentOf(values);
  const client = await connect({
    ...deployment,
    ...(named ? { client: named } : { user: user ?? loginName() }),
    ...(instance && { instance }),
    ...(fetch && { fetch }),
    onWait: (wait) =>
      process.stderr.write(`Waiting ${Math.ceil(wait / 1000)} s: the server has too many requests.\n`),
  }).catch((error: unknown) => {
    const code = error instanceof CofferError ? error.code : undefined;
    // Of a server that was killed the edge may go on for a while, without its HSM.
    if (values.deployment !== undefined) throw error;
    if (code !== "offline" && !(code === "hsm-unavailable" && hasEnded(deployment.pid))) throw error;
    throw new CommandError(
      `Nothing answers at ${deployment.app}: the server of ${dir} has ended. Start it again with \`${START}\`.`,
      1,
      error,
    );
  });
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

function hasEnded(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

/** There is none for a user number that the machine has no account of, as in some containers. */
function loginName(): string {
  try {
    return userInfo().username;
  } catch (error) {
    throw new CommandError("You have no login name on this machine: say --user NAME.", 2, error);
  }
}
