/**
 * `npm run test:breaks`: applies each patch of these folders to a scratch worktree of HEAD and runs the test that guards
 * what it breaks. The test must fail by an assertion; anything else (green, no such test, a patch that does not apply,
 * an error outside of an assertion) is listed at the end and makes the exit code 1. That the unpatched tree passes is
 * `npm test`'s to show; that the guards pass without the other tests of their file, `--control`.
 */

import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { interruptSignal } from "#cli/interrupt.ts";
import { vectorsFolder } from "../support/vectors.ts";
import { type Break, readBreaks } from "./break.ts";
import { firstLine, judge, type Outcome, type Report, runTests } from "./guard.ts";
import { git, makeScratch, type Scratch } from "./scratch.ts";

const HELP = `npm run test:breaks -- [options]
  --only NAME,NAME     breaks whose name contains one of these
  --room ROOM,ROOM     breaks of these folders of test/breaks
  --guard PATH,PATH    breaks that are guarded by these test files, or by those below these folders
  --changed BASE       breaks whose patch, guard or broken file has changed since the branch left BASE
  --jobs N             how many run at a time                         (as many as there are processors)
  --control            runs the guards of each test file on the unpatched tree first: they must be green
`;

type Row = Break & Outcome & { seconds: number };

const root = fileURLToPath(new URL("../..", import.meta.url));
const { values } = parseArgs({
  options: {
    only: { type: "string" },
    room: { type: "string" },
    guard: { type: "string" },
    changed: { type: "string" },
    jobs: { type: "string", default: String(availableParallelism()) },
    control: { type: "boolean" },
    help: { type: "boolean" },
  },
});
const jobs = Number(values.jobs);
if (values.help || !Number.isInteger(jobs) || jobs < 1) {
  process.stdout.write(HELP);
  process.exit(values.help ? 0 : 2);
}
// Beside a scratch tree are no test vectors.
process.env.COFFER_VECTORS ??= vectorsFolder();

const chosen = choose(readBreaks());
const queue = [...chosen];
const rows: Row[] = [];
const controls = new Map<string, Promise<Report | string>>();
const home = mkdtempSync(join(tmpdir(), "coffer-breaks-"));
// Tests start processes under other user ids, which have to reach the code.
chmodSync(home, 0o755);
const scratches: Scratch[] = [];
const interrupted = interruptSignal();
try {
  while (scratches.length < Math.min(jobs, chosen.length))
    scratches.push(makeScratch(root, join(home, `${scratches.length + 1}`)));
  await Promise.all(scratches.map(work));
} finally {
  for (const scratch of scratches) scratch.remove();
  rmSync(home, { recursive: true, force: true });
}
summarise();

/** The slow guards first, and those of one test file one after another. */
function choose(all: Break[]): Break[] {
  const only = values.only?.split(",");
  const rooms = values.room?.split(",");
  const guards = values.guard?.split(",");
  const changed = values.changed && git(root, "diff", "--name-only", "--merge-base", values.changed);
  const paths = changed === undefined ? undefined : new Set(changed.split("\n"));
  const slowFirst = ({ guard }: Break) => `${guard.startsWith("test/") ? 0 : 1} ${guard}`;
  return all
    .filter(({ name }) => !only || only.some((wanted) => name.includes(wanted)))
    .filter(({ room }) => !rooms || rooms.includes(room))
    .filter(({ guard }) => !guards || guards.some((path) => guard.startsWith(path)))
    .filter(({ concerns }) => !paths || concerns.some((path) => paths.has(path)))
    .toSorted((one, other) => slowFirst(one).localeCompare(slowFirst(other)));
}

async function work(scratch: Scratch): Promise<void> {
  for (let each = queue.shift(); each; each = queue.shift()) {
    const began = performance.now();
    const outcome = await tryBreak(scratch, each);
    if (interrupted.aborted) return;
    const row = { ...each, ...outcome, seconds: (performance.now() - began) / 1000 };
    rows.push(row);
    const count = `[${String(rows.length).padStart(String(chosen.length).length)}/${chosen.length}]`;
    const time = `${row.seconds.toFixed(0).padStart(3)} s`;
    process.stdout.write(
      `${count} ${row.verdict.padEnd(9)} ${time}  ${row.room}/${row.name}: ${row.breaks}\n`,
    );
    process.stdout.write(`${" ".repeat(count.length + 17)}${row.detail}\n`);
  }
}

async function tryBreak(scratch: Scratch, each: Break): Promise<Outcome> {
  if (values.control) {
    const { verdict, detail } = judge(await control(scratch, each.guard), each.test);
    if (verdict !== "green") return { verdict: "error", detail: `unpatched: ${detail}` };
  }
  const refusal = scratch.apply(each.patch);
  if (refusal !== undefined) return { verdict: "unapplied", detail: firstLine(refusal) };
  try {
    const run = async () => judge(await runTests(scratch, each.guard, each.test, interrupted), each.test);
    const first = await run();
    // Another program may have taken a port, or all of the machine: what failed without an assertion has a second try.
    return first.verdict === "error" && !interrupted.aborted ? await run() : first;
  } finally {
    scratch.revert();
  }
}

/** The guards of one test file on the tree as it is, once, without its other tests: none may depend on those. */
function control(scratch: Scratch, guard: string): Promise<Report | string> {
  let run = controls.get(guard);
  if (run === undefined) {
    const patterns = chosen.filter((other) => other.guard === guard).map(({ test }) => `(?:${test})`);
    run = runTests(scratch, guard, [...new Set(patterns)].join("|"), interrupted);
    controls.set(guard, run);
  }
  return run;
}

function summarise(): void {
  const bad = rows.filter(({ verdict }) => verdict !== "red");
  process.stdout.write("\n");
  for (const { verdict, room, name, detail } of bad)
    process.stdout.write(`${verdict}: ${room}/${name}: ${detail}\n`);
  const of = (wanted: Outcome["verdict"]) => rows.filter(({ verdict }) => verdict === wanted).length;
  const others = `${of("unapplied")} failed to apply, ${of("error")} failed otherwise`;
  const left = chosen.length - rows.length;
  const untried = left > 0 ? `, ${left} not tried` : "";
  process.stdout.write(`${of("red")} red, ${of("green")} green, ${others}${untried}\n`);
  process.exitCode = interrupted.aborted ? 130 : bad.length === 0 && rows.length > 0 ? 0 : 1;
}
