/** The keys that an account is made with (W11): its account key, and where data keys are an account's, the first one for the app that it begins in. */

import { ok, type Result } from "../result.ts";
import type { Tenant } from "../tenants.ts";
import { type Keeper, newDataKey } from "./instance-keys.ts";
import { custodianName } from "./name.ts";
import type { FirstKeys } from "./news.ts";

/** What another time can mend. Any other refusal is the answer: an instance makes the keys, or they are made when somebody may ask for them. */
const AGAIN = ["hsm-unavailable", "internal", "too-many-requests"];

/**
 * Done a second time it changes nothing. What the owner is by roles and groups is not known here, so that a policy that asks
 * for that allows no data key before the owner asks for one.
 */
export async function makeFirstKeys(
  keeper: Keeper,
  { name: tenant, apps, level }: Tenant,
  { account, owner: user, app, requestId }: FirstKeys & { account: string },
): Promise<Result<null>> {
  const begunIn = apps.find(({ id }) => id === app);
  const made =
    level === "data" || begunIn === undefined
      ? await keeper.accountKey({ account, requestId })
      : await newDataKey(
          keeper,
          { account, caller: callerOf({ tenant, user, ...begunIn, requestId }) },
          { purpose: "document", renew: false },
        );
  return made.ok || !AGAIN.includes(made.problem.code) ? ok(null) : made;
}

function callerOf(of: { tenant: string; user: string; id: string; origin: string; requestId: string }) {
  const { user, id: client, origin, requestId } = of;
  return { user, client, origin, requestId, custodian: custodianName(of) };
}
