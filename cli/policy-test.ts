import { parseArgs } from "node:util";
import { instant, seconds } from "#protocol/clock.ts";
import { TIERS, WRAPPINGS } from "#protocol/policy/index.ts";
import {
  ACTIONS,
  type Asked,
  type Explanation,
  explain,
  type Facts,
  factsOf,
} from "#protocol/policy/statements/index.ts";
import { CommandError } from "./command-error.ts";
import { expectOneInput } from "./input.ts";
import { jsonLine } from "./json-line.ts";
import { print } from "./output.ts";
import { readPolicyFile } from "./policy-file.ts";
import { shown } from "./shown.ts";

const DENIED = 3;
const text = { type: "string" } as const;
const texts = { type: "string", multiple: true } as const;
const options = {
  principal: text,
  action: text,
  resource: text,
  role: texts,
  group: texts,
  person: text,
  tier: text,
  wrapping: text,
  method: text,
  register: texts,
  origin: text,
  account: text,
  purpose: text,
  path: text,
  header: texts,
  at: text,
  closed: { type: "boolean" },
  json: { type: "boolean" },
} as const;

/** `coffer policy test FILE …` */
export async function policyTest(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  if (positionals.length === 0) throw wrong("name a file");
  const facts = factsFrom(values);
  expectOneInput(...positionals);
  const policies = await Promise.all(positionals.map(readPolicyFile));
  const explanation = explain(
    policies.map(({ rules }) => rules),
    facts,
  );
  const files = policies.map(({ file }) => file);
  await print(values.json ? json(explanation, files) : lines(explanation, files));
  return explanation.decision.allowed ? 0 : DENIED;
}

type Values = ReturnType<typeof parseArgs<{ options: typeof options }>>["values"];

function factsFrom({ closed, ...values }: Values): Facts {
  const { principal, resource, role, group, person, method, register, origin, account, purpose } = values;
  const action = ACTIONS.find((one) => one === values.action);
  if (principal === undefined || resource === undefined || values.action === undefined)
    throw wrong("say --principal, --action and --resource");
  if (!action) throw wrong(`--action is one of ${ACTIONS.join(", ")}`);
  const tier = TIERS.find((one) => one === values.tier);
  if (values.tier !== undefined && !tier) throw wrong(`--tier is one of ${TIERS.join(", ")}`);
  const wrapping = WRAPPINGS.find((one) => one === values.wrapping);
  if (values.wrapping !== undefined && !wrapping) throw wrong(`--wrapping is one of ${WRAPPINGS.join(", ")}`);
  const none = closed ? null : undefined;
  const noneOf = closed ? [] : undefined;
  const asked: Asked = {
    action,
    principal,
    resource,
    tier,
    wrapping: wrapping ?? none,
    now: timeFrom(values.at),
    roles: role ?? noneOf,
    groups: group ?? noneOf,
    person: person ?? none,
    method: method ?? none,
    registers: register ? Object.fromEntries(register.map(registerFrom)) : closed ? {} : undefined,
    origin: origin ?? none,
    account: account ?? none,
    purpose: purpose ?? none,
    http: httpFrom(values) ?? none,
  };
  const facts = factsOf(asked);
  if (!facts.attributes()) throw wrong("--principal is no Distinguished Name, such as CN=ada,O=acme");
  return facts;
}

function timeFrom(at: string | undefined): number {
  if (at === undefined) return seconds(Date.now());
  const [, day, time] = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}(?::\d{2})?)Z$/.exec(at) ?? [];
  try {
    if (day === undefined || time === undefined) throw new TypeError("no such moment");
    return seconds(instant(day, time));
  } catch (error) {
    if (error instanceof TypeError) throw wrong("--at is a moment such as 2026-11-29T12:00:00Z");
    throw error;
  }
}

function registerFrom(register: string): [number: string, value: string] {
  const [, number, value] = /^(\d{1,2})=([0-9a-f]+)$/.exec(register) ?? [];
  if (number === undefined || value === undefined) throw wrong("--register is N=HEX, in lower case");
  return [number, value];
}

function httpFrom({ path, header }: Values): Asked["http"] {
  if (path === undefined && header) throw wrong("--header needs --path");
  return path === undefined ? undefined : { path, headers: (header ?? []).map(headerFrom) };
}

function headerFrom(header: string): [name: string, value: string] {
  const colon = header.indexOf(":");
  if (colon <= 0) throw wrong("--header is 'NAME: VALUE'");
  return [header.slice(0, colon), header.slice(colon + 1).trim()];
}

function json({ decision, policies }: Explanation, files: readonly string[]): string {
  const told = policies.map((statements, at) => ({ file: files[at], statements }));
  return jsonLine({ ...decision, policies: told });
}

/** The decision and what it comes from; then each statement, whether it applies, and what it asks for. */
function lines({ policies, decision }: Explanation, files: readonly string[]): string {
  const told = policies.map((statements, at) =>
    [
      `\n${shown(files[at] ?? "")}`,
      ...statements.map(({ effect, applies, asks }, number) => {
        const answers = asks.map(({ name, answer }) => `${name} ${answer}`).join(", ");
        return `  ${number + 1} ${effect.padEnd(5)} ${applies ? "applies" : "does not apply"}: ${answers}`;
      }),
    ].join("\n"),
  );
  return `${decision.allowed ? "Allowed." : `Denied: ${cause(policies, files)}.`}\n${told.join("\n")}\n`;
}

function cause(policies: Explanation["policies"], files: readonly string[]): string {
  for (const [at, statements] of policies.entries()) {
    const denies = statements.findIndex(({ effect, applies }) => applies && effect === "deny");
    if (denies >= 0) return `statement ${denies + 1} of ${shown(files[at] ?? "")} denies`;
  }
  const silent = policies.findIndex((statements) => !statements.some(({ applies }) => applies));
  return `no statement of ${shown(files[silent] ?? "")} allows`;
}

function wrong(sentence: string): CommandError {
  return new CommandError(`coffer policy test: ${sentence}. Try --help.`, 2);
}
