import { readFile, stat } from "node:fs/promises";
import { sentenceOf } from "#files/index.ts";
import {
  MAX_POLICY_LENGTH,
  MAX_TABLE_LENGTH,
  type Parsed,
  parsePolicies,
  parsePolicy,
} from "#protocol/policy/statements/index.ts";
import { CommandError } from "./command-error.ts";
import { INPUT, readInput } from "./input.ts";
import { shown } from "./shown.ts";

/** `text`: as it was read, where it is one policy. */
export type PolicyFile = Parsed & { file: string; text?: string };

/** Reads a policy; `-` is standard input. Error: `CommandError` for what is none, in a sentence that says where. */
export async function readPolicyFile(file: string): Promise<PolicyFile> {
  return readWith(file, MAX_POLICY_LENGTH, (text) => ({ file, text, ...parsePolicy(text) }));
}

/** Reads a table of policies, as COFFER_POLICIES has it, each as one of the file. */
export async function readPolicyTable(file: string): Promise<PolicyFile[]> {
  const table = await readWith(file, MAX_TABLE_LENGTH, parsePolicies);
  return [...table].map(([name, rules]) => ({ file: `${file}, ${name}`, form: "statements", rules }));
}

async function readWith<T>(file: string, maxLength: number, parse: (text: string) => T): Promise<T> {
  try {
    // No UTF-16 unit of a text has more than three bytes.
    if (file === INPUT) return parse(await readInput(3 * maxLength));
    if ((await stat(file)).size > 3 * maxLength) throw new TypeError("it is too long");
    return parse(new TextDecoder("utf-8", { fatal: true }).decode(await readFile(file)));
  } catch (error) {
    const named = file === INPUT ? "Standard input" : shown(file);
    const sentence = sentenceOf(error);
    if (sentence !== undefined) throw new CommandError(`${named}: ${sentence}`, 1, error);
    if (error instanceof TypeError || error instanceof SyntaxError)
      throw new CommandError(`${named} is no policy: ${shown(error.message)}.`, 1, error);
    throw error;
  }
}
