/** `coffer share`, `unshare` and `shares`, as two people use them. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Command, freePorts, run, start } from "./command.ts";

let folder: string;
let server: Command;
const coffer = (...args: string[]) => run(args, folder);
/** Of a command that ends well, its output. */
async function done(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await coffer(...args);
  expect(code, stderr).toBe(0);
  return stdout;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "coffer-sharing-"));
  server = start(["start", ...(await freePorts())], folder);
  await server.says("Coffer is running.");
});
afterAll(async () => {
  server?.process.kill("SIGINT");
  await server?.ended;
  rmSync(folder, { recursive: true, force: true });
});

it("Sharing on the command line lets another account open a document until it is taken back", async () => {
  const sealed = await run(
    ["seal", "-", "--name", "plan.txt", "--json", "--user", "ada"],
    folder,
    "the plan",
  );
  const { id } = JSON.parse(sealed.stdout) as { id: string };
  const account = JSON.parse(await done("account", "list", "--json", "--user", "grace")) as { id: string }[];
  const to = account[0]?.id ?? "";
  const made = JSON.parse(await done("share", id, to, "--json", "--user", "ada")) as { share: string };
  expect(await done("shares", id, "--user", "ada")).toMatch(
    new RegExp(`^${made.share}  ${id}  ${to}  [\\dT:-]{16}  grace\\n$`),
  );
  expect(await done("shares", "--received", "--user", "grace")).toMatch(/ {2}ada {2}plan\.txt\n$/);
  expect(await done("shares", "--received", "--open", made.share, "--user", "grace")).toBe("the plan");
  await done("unshare", id, made.share, "--user", "ada");
  expect(await done("shares", "--user", "ada")).toBe("");
  const refused = await coffer("shares", "--received", "--open", made.share, "--user", "grace");
  expect([refused.code, refused.stdout]).toEqual([1, ""]);
  expect(refused.stderr).toContain(`Nothing was received by the share '${made.share}', or it has ended.`);
  expect(await done("shares", "--received", "--json", "--user", "grace")).toBe("[]\n");
});

it("Sharing on the command line tells a person's accounts apart that were given the same document, and takes it off one's list", async () => {
  const sealed = await run(
    ["seal", "-", "--name", "both.txt", "--json", "--user", "ada"],
    folder,
    "for both",
  );
  const { id } = JSON.parse(sealed.stdout) as { id: string };
  await done("account", "create", "Second", "--user", "linus");
  const listed = await done("account", "list", "--json", "--user", "linus");
  const accounts = (JSON.parse(listed) as { id: string }[]).map((each) => each.id);
  const shares: string[] = [];
  for (const to of accounts) {
    const made = JSON.parse(await done("share", id, to, "--json", "--user", "ada")) as { share: string };
    shares.push(made.share);
  }
  const [own = "", second = ""] = accounts;
  const [first = "", other = ""] = shares;
  const receivedBy = async (...of: string[]) => {
    const rows = JSON.parse(await done("shares", "--received", "--json", "--user", "linus", ...of));
    return (rows as { share: string; account: string }[]).map(({ share, account }) => [share, account]);
  };
  expect(await receivedBy()).toEqual([
    [first, own],
    [other, second],
  ]);
  expect(await receivedBy("--account", second)).toEqual([[other, second]]);
  const of = (what: string, share: string, account: string) =>
    coffer("shares", "--received", what, share, "--account", account, "--user", "linus");
  expect(await of("--open", other, second)).toMatchObject({ code: 0, stdout: "for both" });
  for (const what of ["--open", "--decline"]) {
    const refused = await of(what, other, own);
    expect([refused.code, refused.stdout]).toEqual([1, ""]);
    expect(refused.stderr).toContain(`Nothing was received by the share '${other}'`);
  }
  expect(await of("--decline", other, second)).toMatchObject({ code: 0, stdout: `${other} is declined.\n` });
  expect(await receivedBy()).toEqual([[first, own]]);
  expect(await done("shares", "--received", "--decline", first, "--user", "linus")).toContain("is declined.");
  expect(await receivedBy()).toEqual([]);
  expect(await done("shares", id, "--user", "ada")).not.toBe("");
});

it.each([
  [["share", "only-one"], "a document and an account"],
  [["share", "a", "b", "--until", "never"], "'never' is no time."],
  [["unshare", "a"], "a document and a share"],
  [["shares", "a", "--received"], "takes a document, or --received"],
  [["shares", "--open", "x"], "takes a document, or --received"],
  [["shares", "--decline", "x"], "takes a document, or --received"],
])("Sharing on the command line says what is wrong with %s", async (args, words) => {
  const { code, stderr } = await coffer(...args);
  expect(code).toBe(2);
  expect(stderr).toContain(words);
});
