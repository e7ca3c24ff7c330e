import { parseArgs } from "node:util";
import { CommandError } from "../command-error.ts";
import { jsonLine } from "../json-line.ts";
import { loopbackFetch } from "../loopback-fetch.ts";
import { OFFICER_HELP, OFFICER_OPTIONS } from "../officer.ts";
import { print } from "../output.ts";
import { COFFER } from "../parts/index.ts";
import { deploymentOf, SESSION_HELP, sessionOptions, withClient } from "../session-options.ts";
import { shown } from "../shown.ts";
import { type Finding, unseen } from "./finding.ts";
import { hsmByEdge, hsmByOfficer } from "./hsm.ts";
import { sessionFindings, sessionUnseen, webFindings } from "./web.ts";

export const DOCTOR_HELP = `coffer doctor: say what is wrong with a deployment, and what to do

Looks at the names of app and vault, the vault's cookies, the content security policies of both, this computer's clock, the mutual TLS
to the HSM, and whether the HSM's policy lets the work be done. A line for each: right, WRONG with what to do, or not looked at.

Without --app it is the deployment that runs from --dir: there a small document is sealed and deleted again, as a user.

  --app ORIGIN      a deployment elsewhere, by its app
  --vault ORIGIN    and its vault
  --json            one JSON array on standard output: check, right (null: not looked at), says, todo
With these the HSM is looked at from here too:
${OFFICER_HELP}
  --tenant NAME     whose keys have to be there; may be given more than once
${SESSION_HELP}
Exit code: 0 nothing is wrong, 1 something is, 2 the command line is wrong.

Examples: ${COFFER} doctor
          ${COFFER} doctor --app https://app.example --vault https://vault.example
`;

/** `coffer doctor` */
export async function doctor(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      ...sessionOptions,
      ...OFFICER_OPTIONS,
      app: { type: "string" },
      vault: { type: "string" },
      tenant: { type: "string", multiple: true, default: [] },
      json: { type: "boolean" },
    },
  });
  if ((values.app === undefined) !== (values.vault === undefined))
    throw new CommandError("--app and --vault go together.", 2);
  const elsewhere = values.app !== undefined;
  const sites = elsewhere
    ? { app: originOf(values.app, "--app"), vault: originOf(values.vault, "--vault") }
    : await deploymentOf(values);
  const found = await webFindings(sites, Date.now());
  const officer = values.cert !== undefined || values.key !== undefined || values.ca !== undefined;
  const answers = found.every(({ check, right }) => check !== "names" || right !== false);
  const cookies: string[] = [];
  const fetch = keepingCookies(cookies);
  try {
    if (officer) found.push(...(await hsmByOfficer(values, values.tenant)));
    if (!elsewhere && answers) {
      found.push(...(await hsmByEdge((work) => withClient({ ...values, fetch }, work))));
      found.push(...(values.client === undefined ? sessionFindings(cookies, sites) : [sessionUnseen()]));
    } else {
      if (!officer) found.push(...hsmUnseen(elsewhere));
      found.push(sessionUnseen());
    }
  } finally {
    // What was found is said, whatever kept the rest from being looked at.
    await print(values.json ? jsonLine(found) : found.map(lineOf).join(""));
  }
  return found.some(({ right }) => right === false) ? 1 : 0;
}

/** Asks as `fetch` does, and keeps what the answers set. */
function keepingCookies(kept: string[]): typeof fetch {
  return async (input, init) => {
    const answer = await loopbackFetch(input, init);
    kept.push(...answer.headers.getSetCookie());
    return answer;
  };
}

function hsmUnseen(elsewhere: boolean): Finding[] {
  const todo = elsewhere
    ? "Name the HSM by --host, --port, --ca, --cert and --key."
    : "Mend the names first, and run this again.";
  return [unseen("mutual-tls", "not looked at", todo), unseen("hsm-policy", "not looked at", todo)];
}

function lineOf({ check, right, says, todo }: Finding): string {
  const word = right === null ? "-" : right ? "right" : "WRONG";
  const mend = todo === undefined ? "" : `${/[.…]$/.test(says) ? "" : "."} ${todo}`;
  return `${word.padEnd(5)}  ${check.padEnd(10)}  ${shown(says)}${mend}\n`;
}

function originOf(text = "", option: string): string {
  if (!URL.canParse(text) || new URL(text).origin !== text)
    throw new CommandError(`${option} takes an origin, as https://app.example.`, 2);
  return text;
}
