import { ACTIONS } from "#protocol/policy/statements/index.ts";
import { CommandError } from "./command-error.ts";
import { documentPath } from "./document-path.ts";
import { COFFER } from "./parts/index.ts";
import { policyCheck } from "./policy-check.ts";
import { policyPut, policyShow } from "./policy-put.ts";
import { policyTest } from "./policy-test.ts";
import { SESSION_HELP } from "./session-options.ts";

export const POLICY_HELP = `coffer policy show: the tenant's policy, and on standard error who has put its versions
coffer policy put FILE, or --none: put a policy of statements on the tenant, in addition to the deployment's

For admins of the tenant. It holds everywhere within ten seconds, and narrows what the deployment's policies allow.

${SESSION_HELP}
coffer policy check FILE …: read policies as the KMS does, and say what is wrong

  --table              each FILE is a table of policies by tenant, as the setting COFFER_POLICIES has it

coffer policy test FILE …: explain a decision, statement by statement

Each FILE is one policy, of statements or a key's own; with several, every one has to allow. What no option names is not
known: an allow that asks for it does not hold, and a deny does. The language: ${documentPath("policies.md")}

  --principal DN       Distinguished Name of the custodian (RFC 4514)
  --action NAME        ${ACTIONS.join(", ")}
  --resource NAME      accounts/ACCOUNT/keys/KEY, or keys/KEY for a tenant's own

  --role NAME          a role of the person; again for more, as --group and --header
  --group NAME         a group of the person
  --person NAME        who has signed in
  --tier TIER          software, emulated or hardware
  --wrapping WRAPPING  RSA-OAEP or hybrid
  --method NAME        by which the instance enrolled
  --register N=HEX     a register of its measurement
  --origin URL         of the app
  --account ID         whose key it is
  --purpose NAME       of the key
  --path PATH          of the request, without its query; headers that are not named are then absent
  --header 'NAME: VALUE'
  --at TIME            when, as 2026-11-29T12:00:00Z               (now)
  --closed             what no option names is known to be absent

  --json               one JSON value on standard output: of show policy and versions, of put the version, of check for each policy
                       file, form, allow and deny, of test the decision and each statement. - in the place of a FILE is standard input

Exit code: 0 allowed, or read; 1 a policy cannot be read; 2 the command line is wrong; 3 denied.

Example: ${COFFER} policy test central.json key.json --principal CN=ada,O=acme \\
           --action decrypt --resource accounts/a1/keys/k1 --tier hardware
`;

/** `coffer policy check` and `coffer policy test` */
export async function policy([command, ...args]: string[]): Promise<number> {
  if (command === "show") return policyShow(args);
  if (command === "put") return policyPut(args);
  if (command === "check") return policyCheck(args);
  if (command === "test") return policyTest(args);
  throw new CommandError("coffer policy: say check, test or put and a file, or show. Try --help.", 2);
}
