import { parseArgs } from "node:util";
import { codeOf } from "#protocol/error.ts";
import { CommandError } from "./command-error.ts";
import { numberIn } from "./number-in.ts";
import { tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { SESSION_HELP, sessionOptions, withClient } from "./session-options.ts";

export const SECRET_ZERO_HELP = `coffer secret-zero: a credential by which one microservice may enrol

For a deployer: hands out a token that works once, for the custodian as which the deployer is signed in. Give it to the
microservice that you launch, and to nobody else; it is spent with the first attempt, whatever becomes of that.

  --dn NAME        Distinguished Name of the custodian               (the deployer's own)
  --life SECONDS   how long it is good; never longer than the deployment's (five minutes)
  --key HASH       thumbprint (RFC 7638) of the one identity key that may use it
  --json           one JSON object on standard output: secretZero, custodian, expires
${SESSION_HELP}
Exit code: 0 the token is on standard output, 1 there is none, 2 the command line is wrong.

Example: ${COFFER} secret-zero --user deployer --life 60
`;

/** `coffer secret-zero` (M2). */
export async function secretZero(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      ...sessionOptions,
      dn: { type: "string" },
      life: { type: "string" },
      key: { type: "string" },
      json: { type: "boolean" },
    },
  });
  const { dn, key } = values;
  const life = values.life === undefined ? undefined : numberIn("--life", values.life, 1, 3600);
  if (key !== undefined && !/^[\w-]{43}$/.test(key))
    throw new CommandError("--key takes a thumbprint: 43 characters of base64url.", 2);
  return withClient(values, async ({ identity, secretZero }) => {
    const custodian = dn ?? identity.custodian.dn;
    const order = { custodian, ...(life !== undefined && { life }), ...(key !== undefined && { key }) };
    const issued = await secretZero(order).catch((error: unknown) => {
      if (codeOf(error) !== "foreign-custodian") throw error;
      const own = identity.custodian.dn;
      throw new CommandError(`You deploy for ${own} alone, as which you are signed in.`, 1, error);
    });
    const { secretZero: token, expires } = issued;
    const described = { secretZero: token, custodian, expires: new Date(expires * 1000).toISOString() };
    tell(values.json, token, described);
    return 0;
  });
}
