/** Completion for shells, out of the command table: what a command takes is what its help says. */

import { CommandError } from "./command-error.ts";
import { jsonLine } from "./json-line.ts";
import { print } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { shown } from "./shown.ts";

export const COMPLETION_HELP = `coffer completion SHELL: print the completion of this command for bash, zsh or fish

Completes commands, what follows them, and options; everything else as file names.

  --json        in the place of SHELL: one JSON array on standard output, of commands with verbs and options

Exit code: 0 printed, 2 the command line is wrong.

Examples: ${COFFER} completion bash > ~/.local/share/bash-completion/completions/coffer
          ${COFFER} completion zsh > ~/.zfunc/_coffer
          ${COFFER} completion fish > ~/.config/fish/completions/coffer.fish
`;

/** A command by its help. */
export type Helps = ReadonlyMap<string, string>;
type Words = { verbs: string[]; options: string[] };

const SHELLS: Record<string, (commands: ReadonlyMap<string, Words>) => string> = { bash, zsh, fish };

/** `coffer completion SHELL`; `helps` gives the help of each command. */
export async function completion(args: string[], helps: () => Promise<Helps>): Promise<number> {
  const [shell = "", ...more] = args;
  const words = async () => new Map([...(await helps())].map(([name, help]) => [name, wordsOf(name, help)]));
  if (shell === "--json" && more.length === 0) {
    await print(jsonLine([...(await words())].map(([command, of]) => ({ command, ...of }))));
    return 0;
  }
  const write = Object.hasOwn(SHELLS, shell) && more.length === 0 ? SHELLS[shell] : undefined;
  if (write === undefined)
    throw new CommandError(
      `coffer completion takes one of ${Object.keys(SHELLS).join(", ")}, not '${shown(args.join(" "))}'.`,
      2,
    );
  await print(write(await words()));
  return 0;
}

/** What a help names: verbs at the beginnings of its lines, options anywhere. Its examples name nothing new. */
export function wordsOf(name: string, help: string): Words {
  const [text = ""] = help.split(/^Examples?:/m, 1);
  const verb = new RegExp(
    String.raw`^ *(?:coffer|${escaped(COFFER)}) ${escaped(name)} ([a-z][a-z-]*)(?=[\s:,]|$)`,
    "gm",
  );
  const verbs = [...text.matchAll(verb)].map(([, found = ""]) => found);
  const options = [...text.matchAll(/(?<![\w-])--[a-z][a-z-]*/g)].map(([found]) => found);
  return { verbs: [...new Set(verbs)], options: [...new Set([...options, "--help"])].toSorted() };
}

function escaped(text: string): string {
  return text.replaceAll(/[^\w -]/g, String.raw`\$&`);
}

function bash(commands: ReadonlyMap<string, Words>): string {
  const cases = [...commands].map(
    ([name, { verbs, options }]) =>
      `    ${name}) verbs="${verbs.join(" ")}" options="${options.join(" ")}" ;;`,
  );
  return `# Completion of coffer for bash.
_coffer() {
  local word="\${COMP_WORDS[COMP_CWORD]}" verbs="" options=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${[...commands.keys()].join(" ")} --help" -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
    *) return ;;
  esac
  if [ "\${word#-}" != "$word" ]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  elif [ "$COMP_CWORD" -eq 2 ] && [ -n "$verbs" ]; then
    COMPREPLY=($(compgen -W "$verbs" -- "$word"))
  fi
}
complete -o default -F _coffer coffer
`;
}

function zsh(commands: ReadonlyMap<string, Words>): string {
  const cases = [...commands].map(
    ([name, { verbs, options }]) =>
      `    ${name}) verbs=(${verbs.join(" ")}) options=(${options.join(" ")}) ;;`,
  );
  return `#compdef coffer
# Completion of coffer for zsh.
_coffer() {
  local -a verbs options
  if (( CURRENT == 2 )); then
    compadd -- ${[...commands.keys()].join(" ")}
    return
  fi
  case "$words[2]" in
${cases.join("\n")}
  esac
  if [[ "$PREFIX" == -* ]]; then
    compadd -- $options
  elif (( CURRENT == 3 && \${#verbs} )); then
    compadd -- $verbs
  else
    _files
  fi
}
compdef _coffer coffer
`;
}

function fish(commands: ReadonlyMap<string, Words>): string {
  const lines = [...commands].flatMap(([name, { verbs, options }]) => [
    `complete -c coffer -n __fish_use_subcommand -f -a ${name}`,
    ...(verbs.length > 0
      ? [
          `complete -c coffer -n '__fish_seen_subcommand_from ${name}; and test (count (commandline -opc)) -eq 2' -f -a '${verbs.join(" ")}'`,
        ]
      : []),
    ...options.map(
      (option) => `complete -c coffer -n '__fish_seen_subcommand_from ${name}' -l ${option.slice(2)}`,
    ),
  ]);
  return `# Completion of coffer for fish.\n${lines.join("\n")}\n`;
}
