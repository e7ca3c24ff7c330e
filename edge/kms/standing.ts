/** What is asked of an instance that asks for itself, once before the HSM works and once after: does it live, and may it. */

import type { Level } from "#protocol/level.ts";
import { authorize } from "../authorize.ts";
import type { InstanceCaller } from "../caller.ts";
import { checkInstance, type Enrolled } from "../enrolled.ts";
import type { Person } from "../person.ts";
import { type Decision, ok, type Result } from "../result.ts";
import type { Store } from "../store.ts";
import { askPerson, type Neighbours, noMember } from "./context.ts";

/** `signedIn` is the IAM's word on the custodian, of the account too where there is one. */
export type Standing = { signedIn: Result<Person>; found: Result<Enrolled> };

/** Who asks for what; for the audit log. */
export type Asked = { action: string; caller: InstanceCaller; resource: string; requestId: string };

/** The neighbours are asked at the same time. */
export async function askStanding(
  neighbours: Neighbours,
  caller: InstanceCaller,
  account?: string,
): Promise<Standing> {
  const { tenant, user, instance } = caller;
  const [signedIn, found] = await Promise.all([
    askPerson(neighbours, caller, account),
    neighbours.RA.instance({ tenant, user, instance }),
  ]);
  return { signedIn, found };
}

/** Decides by those answers and `check`, and records. */
export function authorizeInstance<T = Enrolled>(
  store: Store,
  asked: Asked,
  { signedIn, found }: Standing,
  levels: readonly Level[],
  check: (sql: SqlStorage, enrolled: Enrolled, person: Person) => Decision<T>,
): Result<T> {
  return authorize<T>(store, asked, (sql) => {
    if (!signedIn.ok) return noMember(signedIn.problem);
    const standing = checkInstance(asked.caller, found, levels);
    return standing.ok ? check(sql, standing.value, signedIn.value) : standing;
  });
}

/** Where the standing says it all. */
export function itself(_: SqlStorage, enrolled: Enrolled): Decision<Enrolled> {
  return ok(enrolled);
}
