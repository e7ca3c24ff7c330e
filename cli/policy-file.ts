import { readFile, stat } from "node:fs/promises";
import { sentenceOf } from "#files/index.ts";
import { MAX_POLICY_LENGTH, type Parsed, parsePolicy } from "#protocol/policy/statements/index.ts";
import { CommandError } from "./command-error.ts";
import { shown } from "./shown.ts";

/** Bytes that a policy's text can have: none of its UTF-16 units has more than three. */
const MAX_SIZE = 3 * MAX_POLICY_LENGTH;

export type PolicyFile = Parsed & { file: string };

/** Reads a policy. Error: `CommandError` for what is none, in a sentence that says where. */
export async function readPolicyFile(file: string): Promise<PolicyFile> {
  try {
    if ((await stat(file)).size > MAX_SIZE) throw new TypeError("a policy is too long");
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await readFile(file));
    return { file, ...parsePolicy(text) };
  } catch (error) {
    const sentence = sentenceOf(error);
    if (sentence !== undefined) throw new CommandError(`${shown(file)}: ${sentence}`, 1, error);
    if (error instanceof TypeError || error instanceof SyntaxError)
      throw new CommandError(`${shown(file)} is no policy: ${shown(error.message)}.`, 1, error);
    throw error;
  }
}
