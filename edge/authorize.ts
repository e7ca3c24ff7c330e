import type { Caller } from "./caller.ts";
import { type Decision, fail, type Result } from "./result.ts";
import type { Store } from "./store.ts";

export type AuthorizeRequest = {
  /** `<domain>:<verb>`, for example `kms:rewrap`. */
  action: string;
  /** Null where there is none yet: sign-in, redeeming a credential. */
  caller: Caller | null;
  /** What it is about, as ids. */
  resource: string;
  requestId: string;
  /** Who is signed in at the vault, where there is no caller. */
  user?: string;
};

/**
 * The one place where the edge decides. `check` looks at the state, consumes what is used once (one conditional
 * `UPDATE … RETURNING`), and answers; its answer and its audit row are one transaction, so there is no decision without
 * its entry. Whatever is not an explicit `ok` is a denial. A denial keeps what `check` consumed (M20); an exception
 * keeps nothing but an audit row of its own.
 *
 * ```ts
 * const decision = authorize(store, { action: "ra:redeem", caller: null, resource: `enrolment/${id}`, requestId }, (sql) => {
 *   const [row] = [...sql.exec("UPDATE grants SET used = ? WHERE hash = ? AND used IS NULL RETURNING *", now, hash)];
 *   return row === undefined ? refuse("invalid-grant", "unknown or used") : ok(row);
 * });
 * if (!decision.ok) return decision;
 * ```
 */
export function authorize<T>(
  store: Store,
  request: AuthorizeRequest,
  check: (sql: SqlStorage) => Decision<T>,
): Result<T> {
  try {
    return store.transaction(() => {
      const decision =
        request.caller !== null && request.caller.tenant !== store.tenant ? FOREIGN : check(store.sql);
      if (decision?.ok === true) {
        store.record(row(request, "allow"));
        return { ok: true, value: decision.value };
      }
      const { problem } = decision ?? fail("forbidden");
      const denial = row(request, "deny", problem.code, decision?.reason ?? "no decision");
      // A signed-in user can cause refusals at will: their rows are bounded for each user, and counted.
      if (decision?.bounded || denial.user !== undefined) store.recordBounded(denial);
      else store.record(denial);
      return { ok: false, problem };
    });
  } catch (error) {
    const reason = error instanceof Error ? error.name : "unknown";
    store.transaction(() => store.record(row(request, "error", "internal", reason)));
    console.error(
      JSON.stringify({
        event: "authorize-error",
        action: request.action,
        requestId: request.requestId,
        error: reason,
      }),
    );
    return fail("internal");
  }
}

const FOREIGN: Decision<never> = { ...fail("forbidden"), reason: "the caller belongs to another tenant" };

function row(request: AuthorizeRequest, outcome: "allow" | "deny" | "error", code?: string, reason?: string) {
  const { action, resource, requestId, caller, user } = request;
  return {
    action,
    resource: resource.slice(0, 512),
    requestId,
    outcome,
    ...(code !== undefined && { code }),
    ...(reason !== undefined && { reason }),
    ...(user !== undefined && { user }),
    ...(caller !== null && {
      user: caller.user,
      custodian: caller.custodian,
      client: caller.client,
      jkt: caller.jkt,
    }),
  };
}
